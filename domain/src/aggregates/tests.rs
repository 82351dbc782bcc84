//! Every event version ever written can be read, and no newer one; the samples are kept permanently.

use std::{collections::BTreeSet, fmt::Debug, fs, path::PathBuf};

use chrono::Utc;
use cqrs_es::{DomainEvent, persist::SemanticVersionEventUpcaster};
use rstest::rstest;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use ulid::Ulid;

use super::*;
use crate::{
    event::Decoded,
    simulation::hash::{Digest, canonical},
};

fn recorded(aggregate_type: &str, kind: &str, version: &str, payload: String) -> RecordedEvent {
    RecordedEvent {
        position: 1,
        event_id: Ulid::from_parts(0, 1),
        aggregate_type: aggregate_type.to_owned(),
        aggregate_id: "018f3c5e-7a00-7000-8000-000000000001".to_owned(),
        sequence: 1,
        event_type: kind.to_owned(),
        event_version: version.to_owned(),
        payload,
        metadata: "{}".to_owned(),
        recorded_at: chrono::DateTime::<Utc>::UNIX_EPOCH,
        decoded: Decoded::default(),
    }
}

/// `(event type, version, text)` of each sample of an aggregate.
fn samples(aggregate_type: &str) -> Vec<(String, String, String)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/events");
    let mut samples = Vec::new();
    for entry in fs::read_dir(folder.join(aggregate_type)).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let (kind, version) = name.strip_suffix(".json").unwrap().split_once('.').unwrap();
        samples.push((kind.to_owned(), version.to_owned(), fs::read_to_string(&path).unwrap()));
    }
    samples.sort();
    samples
}

/// The names of all events, as serde knows them: a new event cannot be forgotten here.
fn event_types<E: DeserializeOwned + Debug>() -> BTreeSet<String> {
    let error = serde_json::from_value::<E>(json!({"type": "?"})).unwrap_err().to_string();
    let (_, names) = error.split_once("expected one of ").unwrap();
    names.split(", ").map(|name| name.trim_matches('`').to_owned()).collect()
}

fn check_samples<A: Aggregate>(versions: &[(&str, &str)]) {
    let mut current = BTreeSet::new();
    let listed: BTreeSet<_> = versions.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(listed, event_types::<A::Event>());
    for (kind, version, text) in samples(A::TYPE) {
        let event: A::Event = recorded(A::TYPE, &kind, &version, text.clone())
            .decode()
            .unwrap_or_else(|error| panic!("{kind} {version}: {error}"));
        assert_eq!(event.event_type(), kind);
        if event.event_version() == version {
            let written = serde_json::to_value(&event).unwrap();
            let sample: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(written, sample, "{kind} {version} is written otherwise than its sample");
            current.insert(kind);
        }
    }
    let missing: Vec<_> = event_types::<A::Event>().difference(&current).cloned().collect();
    assert_eq!(missing, Vec::<String>::new(), "no sample of the current version");
}

#[test]
fn every_strategy_event_has_samples_that_are_read() {
    check_samples::<Strategy>(StrategyEvent::VERSIONS);
}

#[test]
fn every_backtest_event_has_samples_that_are_read() {
    check_samples::<Backtest>(BacktestEvent::VERSIONS);
}

#[test]
fn every_ledger_event_has_samples_that_are_read() {
    check_samples::<Ledger>(LedgerEvent::VERSIONS);
}

#[test]
fn every_sweep_event_has_samples_that_are_read() {
    check_samples::<Sweep>(SweepEvent::VERSIONS);
}

#[test]
fn serde_names_every_event() {
    assert_eq!(event_types::<StrategyEvent>().len(), 7);
    assert_eq!(event_types::<BacktestEvent>().len(), 8);
    assert_eq!(event_types::<LedgerEvent>().len(), 7);
    assert_eq!(event_types::<SweepEvent>().len(), 7);
}

/// Two steps: 0.8 called the executor a worker, 0.9 counted attempts from 0.
fn steps() -> Upcasters {
    let rename = |mut payload: Value| {
        let worker = payload.as_object_mut().and_then(|members| members.remove("worker"));
        payload["executor"] = worker.unwrap_or_default();
        payload
    };
    let count = |mut payload: Value| {
        payload["attempt"] = json!(payload["attempt"].as_u64().unwrap_or_default() + 1);
        payload
    };
    vec![
        Box::new(SemanticVersionEventUpcaster::new("BacktestClaimed", "0.9", Box::new(rename))),
        Box::new(SemanticVersionEventUpcaster::new("BacktestClaimed", "1.0", Box::new(count))),
    ]
}

#[rstest]
#[case::two_steps("0.8", r#"{"type":"BacktestClaimed","worker":"a","attempt":0}"#)]
#[case::one_step("0.9", r#"{"type":"BacktestClaimed","executor":"a","attempt":0}"#)]
#[case::none("1.0", r#"{"type":"BacktestClaimed","executor":"a","attempt":1}"#)]
fn an_old_event_takes_the_steps_from_its_version_on(#[case] version: &str, #[case] payload: &str) {
    let event = recorded("backtest", "BacktestClaimed", version, payload.to_owned());
    let decoded: BacktestEvent = upcasting::decode(&event, &steps()).unwrap();
    assert_eq!(decoded, BacktestEvent::BacktestClaimed { executor: "a".to_owned(), attempt: 1 });
}

#[test]
fn other_events_are_left_alone() {
    let event =
        recorded("backtest", "BacktestCancelled", "0.8", r#"{"type":"BacktestCancelled"}"#.into());
    let decoded: BacktestEvent = upcasting::decode(&event, &steps()).unwrap();
    assert_eq!(decoded, BacktestEvent::BacktestCancelled {});
}

#[test]
fn a_payload_that_is_no_event_is_an_error() {
    for payload in ["", "{}", r#"{"type":"BacktestClaimed"}"#, r#"{"type":"?"}"#] {
        let event = recorded("backtest", "BacktestClaimed", "1.0", payload.to_owned());
        let error = event.decode::<BacktestEvent>().unwrap_err();
        assert!(matches!(error, DecodeError::Payload(_)), "{payload}");
    }
}

#[rstest]
#[case::type_to_come("backtest", "BacktestPaused", "1.0", None)]
#[case::of_another_aggregate("ledger", "BacktestClaimed", "1.0", None)]
#[case::next_version("backtest", "BacktestClaimed", "1.1", Some("1.0"))]
#[case::ninety_nine("backtest", "BacktestClaimed", "99", Some("1.0"))]
#[case::no_text_comparison("backtest", "BacktestCompleted", "2.10", Some("2.0"))]
#[case::no_version("backtest", "BacktestClaimed", "next", Some("1.0"))]
fn what_is_newer_is_not_decoded_even_if_its_payload_fits(
    #[case] aggregate_type: &str,
    #[case] kind: &str,
    #[case] version: &str,
    #[case] known: Option<&str>,
) {
    let payload = r#"{"type":"BacktestClaimed","executor":"a","attempt":1}"#;
    let event = recorded(aggregate_type, kind, version, payload.to_owned());
    let DecodeError::Ahead(ahead) = event.decode::<BacktestEvent>().unwrap_err() else {
        panic!("{kind} {version} was decoded");
    };
    assert_eq!((ahead.known, ahead.position), (known, 1));
    let told = ahead.to_string();
    assert!(told.contains(&format!("`{kind}` {version} of `{aggregate_type}`")), "{told}");
}

#[test]
fn the_events_that_are_known_by_name_have_their_names() {
    for known in [LedgerEvent::EQUITY_RECORDED, LedgerEvent::LEDGER_CLOSED] {
        assert!(LedgerEvent::VERSIONS.iter().any(|(name, _)| *name == known), "{known}");
    }
}

/// A schema without what people read: names, types, and what is required.
fn shape(schema: &Value) -> Value {
    match schema {
        Value::Object(members) => members
            .iter()
            .filter(|(name, value)| {
                let is_said = matches!(name.as_str(), "description" | "title") && value.is_string();
                !is_said && *name != "$schema"
            })
            .map(|(name, value)| (name.clone(), shape(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Array(items) => items.iter().map(shape).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => schema.clone(),
    }
}

/// A ledger's hash covers its payloads, so any change to one, even an optional field, requires a new version.
#[test]
fn a_ledger_payload_keeps_its_shape_within_a_version() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/events/ledger_shapes.txt");
    let mut pinned = fs::read_to_string(&path).unwrap_or_default();
    for entry in catalogue().iter().filter(|entry| entry.aggregate_type == "ledger") {
        let version = current_version("ledger", &entry.event_type).unwrap();
        let event = format!("{} {version} ", entry.event_type);
        let digest = Sha256::digest(canonical(&shape(&entry.schema)).unwrap());
        let line = format!("{event}{}", Digest(digest.into()));
        match pinned.lines().find(|line| line.starts_with(&event)) {
            Some(known) => assert_eq!(line, known, "a changed payload needs a new version"),
            None if std::env::var_os("UPDATE_SHAPES").is_some() => {
                pinned = format!("{pinned}{line}\n");
                fs::write(&path, &pinned).unwrap();
            }
            None => panic!("{event}is not pinned; UPDATE_SHAPES=1 adds it"),
        }
    }
}
