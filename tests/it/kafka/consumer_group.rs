//! Executors are a consumer group: they come and go under load, and every run is done once.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use domain::event::RecordedEvent;
use infra::postgres::EventStore;
use rdkafka::message::Message;
use reqwest::StatusCode;
use server::roles::{Role, Roles};
use tests::{
    TestApp,
    kafka::{TestKafka, TopicReader, header, kafka_environment, key, produce, wait_until_consumed},
};
use tokio::task::block_in_place;

use super::{PATIENCE, binary};
use crate::rest::{completed, golden_cross};

const RUNS: usize = 24;

/// How many of the runs have ended.
async fn ended(store: &EventStore) -> usize {
    let events = store.read_after(0, i64::MAX).await.unwrap();
    events.iter().filter(|event| event.event_type == "BacktestCompleted").count()
}

async fn ended_at_least(store: &EventStore, count: usize) {
    let started = Instant::now();
    while ended(store).await < count {
        assert!(started.elapsed() < 2 * PATIENCE, "{} of {count} runs", ended(store).await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn count(events: &[RecordedEvent], event_type: &str) -> usize {
    events.iter().filter(|event| event.event_type == event_type).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn from_one_to_three_and_back_no_run_is_lost_or_doubled() {
    let kafka = TestKafka::shared().await;
    let options = kafka.options();
    let roles = Roles::of(&[Role::Api, Role::Projector, Role::Relay]);
    let app = TestApp::launch(&roles, &kafka_environment(&options)).await;
    app.import_daily_btcusdt().await;
    let store = &app.context().store;
    let binary = binary(&app.database().url, &options)
        .with("BACKTRAIL_EXECUTOR__CONCURRENCY", "1")
        .with("BACKTRAIL_EXECUTOR__LEASE_MS", "5000");
    let user = app.user().await;
    let mut ids = Vec::new();
    for _ in 0..RUNS {
        let reply = app.post(&user, "/api/v1/backtests", golden_cross()).await;
        let made = reply.expect(StatusCode::ACCEPTED);
        ids.push(made["data"]["id"].as_str().unwrap().to_owned());
    }
    let serve = || binary.start(&["serve", "--roles", "executor"]);
    let first = serve();
    ended_at_least(store, 3).await;
    let (second, third) = (serve(), serve());
    ended_at_least(store, 10).await;
    let (left, _) = block_in_place(|| second.terminate());
    assert!(left.success(), "{left}");
    third.kill();
    ended_at_least(store, RUNS).await;

    let mut executors = BTreeSet::new();
    for id in &ids {
        let events = store.read_stream("backtest", id, 0, 1_000).await.unwrap();
        assert_eq!(count(&events, "BacktestCompleted"), 1, "{events:?}");
        assert_eq!(count(&events, "BacktestFailed"), 0, "{events:?}");
        let claims = events.iter().filter(|event| event.event_type == "BacktestClaimed");
        executors.extend(claims.map(|event| {
            let claim: serde_json::Value = serde_json::from_str(&event.payload).unwrap();
            claim["executor"].as_str().unwrap().to_owned()
        }));
        let ledger = store.read_stream("ledger", id, 0, 10_000).await.unwrap();
        assert_eq!(count(&ledger, "LedgerOpened"), 1);
        assert_eq!(count(&ledger, "LedgerClosed"), 1);
        assert_eq!(ledger.last().unwrap().event_type, "LedgerClosed");
    }
    assert!(executors.len() > 1, "{executors:?}");
    let topic = options.topic("backtest");
    block_in_place(|| wait_until_consumed(&options, &topic));
    let (left, _) = block_in_place(|| first.terminate());
    assert!(left.success(), "{left}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_delivered_again_makes_no_work() {
    let kafka = TestKafka::shared().await;
    let options = kafka.options();
    let app = TestApp::launch(&Roles::all(), &kafka_environment(&options)).await;
    app.import_daily_btcusdt().await;
    let user = app.user().await;
    let run = completed(&app, &user, golden_cross()).await;
    let id = run["id"].as_str().unwrap();
    let store = &app.context().store;
    let before = store.read_stream("backtest", id, 0, 1_000).await.unwrap();

    let topic = options.topic("backtest");
    let is_request =
        |message: &_| header(message, "ce_type").as_deref() == Some("BacktestRequested");
    let mut reader = TopicReader::new(&options.brokers, std::slice::from_ref(&topic));
    block_in_place(|| reader.read_until(|messages| messages.iter().any(is_request)));
    let message = reader.messages.iter().find(|message| is_request(message)).unwrap();
    let names = [
        "ce_id",
        "ce_source",
        "ce_specversion",
        "ce_type",
        "ce_subject",
        "ce_time",
        "content-type",
        "ce_sequence",
        "ce_position",
        "ce_eventversion",
    ];
    let headers = names.map(|name| (name, header(message, name).unwrap()));
    let headers: Vec<(&str, &str)> =
        headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    block_in_place(|| {
        for _ in 0..3 {
            let (key, brokers) = (key(message), &options.brokers);
            produce(brokers, &topic, Some(&key), message.payload(), &headers);
        }
        wait_until_consumed(&options, &topic);
    });
    // Another run goes through the same queue after it.
    completed(&app, &user, golden_cross()).await;
    assert_eq!(store.read_stream("backtest", id, 0, 1_000).await.unwrap(), before);
}
