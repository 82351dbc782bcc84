//! Jobs that a newer binary went on with: an executor that is too old leaves them to one that is not.

use std::time::Duration;

use domain::{event::Metadata, ids::BacktestId};
use infra::postgres::event_store::{Append, NewEvent, Outcome, Priority, StreamAppend};

use uuid::Uuid;

use super::{Desk, desk::user};

/// Appends an event that a newer binary might write, and returns its position.
async fn append_newer(
    desk: &Desk,
    id: BacktestId,
    expected_sequence: i64,
    event: (&str, &str, &str),
) -> i64 {
    let (event_type, event_version, payload) = event;
    let event = NewEvent {
        event_type: event_type.to_owned(),
        event_version: event_version.to_owned(),
        payload: payload.to_owned(),
    };
    let append = Append {
        streams: vec![StreamAppend {
            aggregate_type: "backtest",
            aggregate_id: id.to_string(),
            expected_sequence,
            events: vec![event],
        }],
        metadata: Metadata::default(),
        command: None,
        reservations: Vec::new(),
        priority: Priority::Interactive,
    };
    let outcome = desk.store.append(append).await.unwrap();
    let Outcome::Appended { last_position, .. } = outcome else { panic!("{outcome:?}") };
    last_position
}

async fn is_left_alone(event_type: &str, event_version: &str) {
    let desk = Desk::with_minutes(200).await;
    let anna = user();
    let strategy = desk.strategy(anna).await;
    let newer = desk.request(anna, strategy).await;
    // An older shape would take in its payload.
    let payload = r#"{"type": "BacktestClaimed", "executor": "new", "attempt": 1}"#;
    append_newer(&desk, newer, 1, (event_type, event_version, payload)).await;
    let executor = desk.executor("old");
    desk.until(async || desk.store.ahead().is_some()).await;
    let ahead = desk.store.ahead().unwrap().to_string();
    assert!(ahead.contains(&format!("`{event_type}` {event_version} of `backtest`")), "{ahead}");

    // It waits for a newer executor, with its attempts.
    let client = desk.superuser().await;
    let sql = "SELECT attempt FROM jobs WHERE id = $1 AND lease_owner IS NULL";
    desk.until(async || client.query_opt(sql, &[&newer.uuid()]).await.unwrap().is_some()).await;
    let row = client.query_one(sql, &[&newer.uuid()]).await.unwrap();
    assert_eq!(row.get::<_, i32>(0), 0);
    let other = desk.request(anna, strategy).await;
    tokio::time::timeout(Duration::from_secs(180), desk.until_dequeued(other)).await.unwrap();
    assert_eq!(desk.types(newer).await.len(), 2, "nothing was appended");
    executor.stop().await;
}

#[tokio::test]
async fn a_run_with_an_event_type_that_is_not_known_is_left_to_a_newer_executor() {
    is_left_alone("BacktestPaused", "1.0").await;
}

#[tokio::test]
async fn a_run_with_an_event_of_version_99_is_left_to_a_newer_executor() {
    is_left_alone("BacktestClaimed", "99").await;
}

#[tokio::test]
async fn a_newer_request_without_its_owner_is_rested_before_by_name() {
    let desk = Desk::with_minutes(200).await;
    let anna = user();
    let strategy = desk.strategy(anna).await;
    let before = desk.request(anna, strategy).await;
    let newer = BacktestId::new(Uuid::now_v7());
    let payload = r#"{"type": "BacktestRequested", "requested_by": "anna"}"#;
    let request = ("BacktestRequested", "99", payload);
    let position = append_newer(&desk, newer, 0, request).await;
    let after = desk.request(anna, strategy).await;
    let executor = desk.executor("old");
    desk.until_dequeued(before).await;
    desk.until(async || desk.store.ahead().is_some()).await;
    let ahead = desk.store.ahead().unwrap().to_string();
    let named = format!("`BacktestRequested` 99 of `backtest` at position {position}");
    assert!(ahead.contains(&named), "{ahead}");

    let client = desk.superuser().await;
    let sql = "SELECT position FROM job_checkpoints WHERE kind = 'backtest'";
    let checkpoint: i64 = client.query_one(sql, &[]).await.unwrap().get(0);
    assert_eq!(checkpoint, position - 1);
    assert_eq!(desk.types(after).await, ["BacktestRequested"], "it is left to a newer executor");
    executor.stop().await;
}
