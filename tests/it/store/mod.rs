//! The event store against a real server.

mod appending;
mod foreign;
mod insert_only;
mod oracle;
mod reading;
mod resending;
mod restored;
mod schema;
mod tally;

use domain::{event::Metadata, ids::UserId};
use infra::postgres::event_store::{Append, CommandKey, NewEvent, Priority, StreamAppend};
use uuid::Uuid;

/// An append of `count` events to one stream of type `tally`.
fn append_to(stream: &str, expected_sequence: i64, count: usize) -> Append {
    let event = |number| NewEvent {
        event_type: "Counted".to_owned(),
        event_version: "1.0".to_owned(),
        payload: format!(r#"{{"type": "Counted", "number": {number}}}"#),
    };
    Append {
        streams: vec![StreamAppend {
            aggregate_type: "tally",
            aggregate_id: stream.to_owned(),
            expected_sequence,
            events: (0..count).map(event).collect(),
        }],
        metadata: Metadata { actor: "system:test".to_owned(), ..Metadata::default() },
        command: None,
        reservations: Vec::new(),
        priority: Priority::Interactive,
    }
}

/// A client's key for a command about `aggregate_id`.
fn command(key: &str, aggregate_id: &str) -> CommandKey {
    CommandKey {
        owner_id: UserId::new(Uuid::from_u128(7)),
        route: "POST /tallies".to_owned(),
        key: key.to_owned(),
        body_hash: vec![1, 2, 3],
        aggregate_id: aggregate_id.to_owned(),
    }
}
