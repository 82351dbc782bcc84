//! An event as a Kafka message: CloudEvents 1.0 in binary mode, both ways.

use chrono::{DateTime, SecondsFormat, Utc};
use domain::event::{Decoded, Metadata, RecordedEvent};
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};

const SPEC_VERSION: &str = "1.0";
const CONTENT_TYPE: &str = "application/json";

/// A message that is not an event of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    #[error("the header `{0}` is missing")]
    Missing(&'static str),
    #[error("the header `{name}` is `{value}`, which is no {expected}")]
    Header { name: &'static str, value: String, expected: &'static str },
    #[error("the {0} is missing")]
    Empty(&'static str),
    #[error("the {0} is not UTF-8")]
    NotText(&'static str),
    #[error("the key is `{key}`, but the header `ce_subject` says `{subject}`")]
    OtherKey { key: String, subject: String },
}

/// The headers of an event's message. `prefix` names the installation that it comes from.
pub(super) fn headers(event: &RecordedEvent, prefix: &str) -> OwnedHeaders {
    let id = event.event_id.to_string();
    let source = format!("/{prefix}/{}", event.aggregate_type);
    let time = event.recorded_at.to_rfc3339_opts(SecondsFormat::Micros, true);
    let (sequence, position) = (event.sequence.to_string(), event.position.to_string());
    let always = [
        ("ce_id", id.as_str()),
        ("ce_source", &source),
        ("ce_specversion", SPEC_VERSION),
        ("ce_type", &event.event_type),
        ("ce_subject", &event.aggregate_id),
        ("ce_time", &time),
        ("content-type", CONTENT_TYPE),
        ("ce_sequence", &sequence),
        ("ce_position", &position),
        ("ce_eventversion", &event.event_version),
    ];
    let headers = OwnedHeaders::new_with_capacity(always.len() + 1);
    let headers = always
        .into_iter()
        .fold(headers, |headers, (key, value)| headers.insert(Header { key, value: Some(value) }));
    match traceparent(event) {
        Some(value) => headers.insert(Header { key: "ce_traceparent", value: Some(&value) }),
        None => headers,
    }
}

/// Ledgers have no request of their own, and metadata is only read where it can hold one.
fn traceparent(event: &RecordedEvent) -> Option<String> {
    if !event.metadata.contains("\"traceparent\"") {
        return None;
    }
    // Metadata of another shape, which foreign writers may use, has no trace.
    serde_json::from_str::<Metadata>(&event.metadata).ok()?.traceparent
}

/// The event of a message. Its metadata holds the trace alone: the rest does not travel.
pub(super) fn recorded(message: &impl Message) -> Result<RecordedEvent, Malformed> {
    let payload = text("payload", message.payload())?;
    let key = text("key", message.key())?;
    let found = Found(message.headers());
    let source = found.required("ce_source")?;
    let aggregate_type = source.rsplit('/').next().unwrap_or_default().to_owned();
    let aggregate_id = found.required("ce_subject")?.to_owned();
    if key != aggregate_id {
        return Err(Malformed::OtherKey { key: key.to_owned(), subject: aggregate_id });
    }
    let time: DateTime<Utc> = found.parsed("ce_time", "time (RFC 3339)")?;
    let traceparent = found.optional("ce_traceparent")?.map(str::to_owned);
    let metadata = Metadata { traceparent, ..Metadata::default() };
    Ok(RecordedEvent {
        position: found.parsed("ce_position", "whole number")?,
        event_id: found.parsed("ce_id", "ULID")?,
        aggregate_type,
        aggregate_id,
        sequence: found.parsed("ce_sequence", "whole number")?,
        event_type: found.required("ce_type")?.to_owned(),
        event_version: found.required("ce_eventversion")?.to_owned(),
        payload: payload.to_owned(),
        // Flat strings are always JSON.
        metadata: serde_json::to_string(&metadata).unwrap_or_default(),
        recorded_at: time,
        decoded: Decoded::default(),
    })
}

fn text<'a>(what: &'static str, bytes: Option<&'a [u8]>) -> Result<&'a str, Malformed> {
    let bytes = bytes.ok_or(Malformed::Empty(what))?;
    std::str::from_utf8(bytes).map_err(|_| Malformed::NotText(what))
}

/// A message's headers, if it has any.
struct Found<'a, H>(Option<&'a H>);

impl<H: Headers> Found<'_, H> {
    fn optional(&self, name: &'static str) -> Result<Option<&str>, Malformed> {
        let found = self.0.and_then(|headers| headers.iter().find(|header| header.key == name));
        found.map(|header| text(name, header.value)).transpose()
    }

    fn required(&self, name: &'static str) -> Result<&str, Malformed> {
        self.optional(name)?.ok_or(Malformed::Missing(name))
    }

    fn parsed<T: std::str::FromStr>(
        &self,
        name: &'static str,
        expected: &'static str,
    ) -> Result<T, Malformed> {
        let value = self.required(name)?;
        value.parse().map_err(|_| Malformed::Header { name, value: value.to_owned(), expected })
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::message::{OwnedMessage, Timestamp};
    use ulid::Ulid;

    use super::*;

    fn event() -> RecordedEvent {
        RecordedEvent {
            position: 12_345,
            event_id: Ulid::from_parts(1_700_000_000_000, 7),
            aggregate_type: "backtest".to_owned(),
            aggregate_id: "018f3c5e-7a00-7000-8000-000000000001".to_owned(),
            sequence: 4,
            event_type: "BacktestCancelled".to_owned(),
            event_version: "1.0".to_owned(),
            payload: r#"{"type":"BacktestCancelled"}"#.to_owned(),
            metadata: r#"{"actor":"system:test","traceparent":"00-4bf9-00f0-01"}"#.to_owned(),
            recorded_at: DateTime::from_timestamp_micros(1_700_000_000_123_456).unwrap(),
            decoded: Decoded::default(),
        }
    }

    fn message(event: &RecordedEvent, headers: OwnedHeaders) -> OwnedMessage {
        OwnedMessage::new(
            Some(event.payload.clone().into_bytes()),
            Some(event.aggregate_id.clone().into_bytes()),
            "backtrail.backtest".to_owned(),
            Timestamp::NotAvailable,
            0,
            0,
            Some(headers),
        )
    }

    #[test]
    fn the_headers_are_those_of_cloudevents_in_binary_mode() {
        let headers = headers(&event(), "backtrail");
        let text = |value: Option<&[u8]>| String::from_utf8(value.unwrap().to_vec()).unwrap();
        let found: Vec<(String, String)> =
            headers.iter().map(|found| (found.key.to_owned(), text(found.value))).collect();
        let expected = [
            ("ce_id", "01HF7YAT000000000000000007"),
            ("ce_source", "/backtrail/backtest"),
            ("ce_specversion", "1.0"),
            ("ce_type", "BacktestCancelled"),
            ("ce_subject", "018f3c5e-7a00-7000-8000-000000000001"),
            ("ce_time", "2023-11-14T22:13:20.123456Z"),
            ("content-type", "application/json"),
            ("ce_sequence", "4"),
            ("ce_position", "12345"),
            ("ce_eventversion", "1.0"),
            ("ce_traceparent", "00-4bf9-00f0-01"),
        ];
        assert_eq!(found, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }

    #[test]
    fn a_message_gives_its_event_back() {
        let event = event();
        let read = recorded(&message(&event, headers(&event, "backtrail"))).unwrap();
        let metadata = r#"{"traceparent":"00-4bf9-00f0-01"}"#.to_owned();
        assert_eq!(read, RecordedEvent { metadata, ..event });
    }

    #[test]
    fn what_is_not_an_event_says_what_it_lacks() {
        let event = event();
        let without = |name: &str| {
            let all = headers(&event, "backtrail");
            let kept = all.iter().filter(|header| header.key != name);
            kept.fold(OwnedHeaders::new(), |headers, header| headers.insert(header_of(header)))
        };
        fn header_of<'a>(header: Header<'a, &'a [u8]>) -> Header<'a, &'a [u8]> {
            header
        }
        let error = recorded(&message(&event, without("ce_position"))).unwrap_err();
        assert_eq!(error, Malformed::Missing("ce_position"));
        let wrong = without("ce_sequence");
        let wrong = wrong.insert(Header { key: "ce_sequence", value: Some("first") });
        let error = recorded(&message(&event, wrong)).unwrap_err().to_string();
        assert_eq!(error, "the header `ce_sequence` is `first`, which is no whole number");
        let keyless = message(&event, headers(&event, "backtrail")).set_key(None);
        assert_eq!(recorded(&keyless).unwrap_err(), Malformed::Empty("key"));
        let other = message(&event, headers(&event, "backtrail")).set_key(Some(b"x".to_vec()));
        assert!(matches!(recorded(&other).unwrap_err(), Malformed::OtherKey { .. }));
        let binary = message(&event, headers(&event, "x")).set_payload(Some(vec![0xff]));
        assert_eq!(recorded(&binary).unwrap_err(), Malformed::NotText("payload"));
    }
}
