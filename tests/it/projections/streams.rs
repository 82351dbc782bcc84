//! Whose each stream is.

use domain::{event::Metadata, ids::UserId};
use infra::postgres::event_store::{Append, EventFilter, NewEvent, Priority, StreamAppend};
use projections::{runner, streams};
use uuid::Uuid;

use super::{Bench, history::*};

/// `(aggregate type, owner)` of every stream, in the order of their beginnings.
async fn owners(bench: &Bench) -> Vec<(String, UserId)> {
    runner::catch_up(&bench.reads, &bench.store, streams::NAME).await.unwrap();
    let sql = "SELECT aggregate_type, owner_id FROM read_models.streams_v1 ORDER BY first_position";
    let rows = bench.database.superuser().await.query(sql, &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), UserId::new(row.get(1)))).collect()
}

/// A stream whose first event says that, and a second event that names another owner.
async fn begin(bench: &Bench, aggregate_type: &'static str, id: u128, payload: &str) {
    let event = |payload: &str| NewEvent {
        event_type: "StrategyCreated".to_owned(),
        event_version: "1.0".to_owned(),
        payload: payload.to_owned(),
    };
    let other = format!(r#"{{"owner_id": "{}"}}"#, user(99));
    let append = Append {
        streams: vec![StreamAppend {
            aggregate_type,
            aggregate_id: Uuid::from_u128(id).to_string(),
            expected_sequence: 0,
            events: vec![event(payload), event(&other)],
        }],
        metadata: Metadata::default(),
        command: None,
        reservations: Vec::new(),
        priority: Priority::Interactive,
    };
    bench.store.append(append).await.expect("an append");
}

#[tokio::test]
async fn a_stream_belongs_to_whom_its_first_event_names_and_a_ledger_to_its_backtest_s_owner() {
    let bench = Bench::new().await;
    run(&bench.store, Uuid::from_u128(11), user(7), 3, None).await;
    let requested = of_sweep("SweepRequested");
    append(&bench.store, "sweep", Uuid::from_u128(21), 0, &[requested]).await;
    begin(&bench, "strategy", 31, &format!(r#"{{"owner_id": "{}"}}"#, user(8))).await;
    // Nobody's: no row, and no poison.
    begin(&bench, "strategy", 32, "{}").await;
    begin(&bench, "tally", 33, &format!(r#"{{"owner_id": "{}"}}"#, user(8))).await;

    let owners = owners(&bench).await;
    let kinds: Vec<&str> = owners.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["backtest", "ledger", "sweep", "strategy"]);
    assert_eq!((owners[0].1, owners[1].1, owners[3].1), (user(7), user(7), user(8)));
    let mine = EventFilter { owner_id: Some(user(8)), ..EventFilter::default() };
    let events = bench.store.read_filtered(&mine, 10).await.unwrap();
    assert_eq!(events.iter().map(|event| event.sequence).collect::<Vec<_>>(), [1, 2]);
}

#[tokio::test]
async fn a_ledger_that_begins_in_a_later_batch_finds_its_owner() {
    let bench = Bench::new().await;
    let id = Uuid::from_u128(11);
    run(&bench.store, id, user(7), 1, None).await;
    let rows = "SELECT count(*) FROM read_models.streams_v1";
    let back = "UPDATE read_models.checkpoints SET position = 1 WHERE table_name = 'streams_v1'; \
                DELETE FROM read_models.streams_v1 WHERE aggregate_type = 'ledger'";
    assert_eq!(owners(&bench).await.len(), 2);
    let client = bench.database.superuser().await;
    client.batch_execute(back).await.unwrap();
    assert_eq!(client.query_one(rows, &[]).await.unwrap().get::<_, i64>(0), 1);
    assert_eq!(owners(&bench).await.len(), 2);
}
