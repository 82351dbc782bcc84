//! Reading the log, and being woken.

use std::time::Duration;

use chrono::TimeDelta;
use domain::ids::UserId;
use infra::postgres::event_store::{Direction, EventFilter};
use projections::{ReadModels, runner, streams};
use tests::TestDatabase;
use tokio::time::timeout;
use uuid::Uuid;

use super::append_to;

#[tokio::test]
async fn an_event_is_read_as_it_was_written() {
    let test = TestDatabase::new().await;
    let store = test.store();
    let mut append = append_to("a", 0, 1);
    let payload = "{\"type\": \"Counted\",  \"number\": 1.50, \"text\": \"\\u00e4 \\\\ \\\"\"}";
    append.streams[0].events[0].payload = payload.to_owned();
    store.append(append).await.unwrap();
    let event = store.read_after(0, 1).await.unwrap().remove(0);
    assert_eq!(event.payload, payload);
    assert_eq!(event.metadata, r#"{"actor":"system:test"}"#);
    assert_eq!((event.aggregate_type.as_str(), event.aggregate_id.as_str()), ("tally", "a"));
    assert_eq!((event.event_type.as_str(), event.event_version.as_str()), ("Counted", "1.0"));
    assert_eq!((event.position, event.sequence), (1, 1));
    // The id's first 48 bits are milliseconds of the writer's clock, which here is the server's.
    let written = event.event_id.timestamp_ms() as i64;
    assert!((event.recorded_at.timestamp_millis() - written).abs() < 10_000);
}

#[tokio::test]
async fn a_stream_is_read_from_any_sequence() {
    let test = TestDatabase::new().await;
    let store = test.store();
    store.append(append_to("a", 0, 3)).await.unwrap();
    store.append(append_to("b", 0, 3)).await.unwrap();
    store.append(append_to("a", 3, 3)).await.unwrap();
    let events = store.read_stream("tally", "a", 2, 3).await.unwrap();
    let places: Vec<_> = events.iter().map(|event| (event.sequence, event.position)).collect();
    assert_eq!(places, [(3, 3), (4, 7), (5, 8)]);
}

#[tokio::test]
async fn a_stream_is_read_back_from_its_end_or_any_sequence() {
    let test = TestDatabase::new().await;
    let store = test.store();
    store.append(append_to("a", 0, 3)).await.unwrap();
    store.append(append_to("b", 0, 3)).await.unwrap();
    let sequences = async |before, limit| {
        let events = store.read_stream_back("tally", "a", before, limit).await.unwrap();
        events.iter().map(|event| event.sequence).collect::<Vec<_>>()
    };
    assert_eq!(sequences(i64::MAX, 2).await, [3, 2]);
    assert_eq!(sequences(2, 2).await, [1]);
    assert_eq!(sequences(1, 2).await, [0_i64; 0]);
}

#[tokio::test]
async fn every_filter_holds_back_what_it_should() {
    let test = TestDatabase::new().await;
    let store = test.store();
    let owner = UserId::new(Uuid::from_u128(42));
    let mut created = append_to("mine", 0, 1);
    created.streams[0].aggregate_type = "strategy";
    created.streams[0].events[0].event_type = "StrategyCreated".to_owned();
    created.streams[0].events[0].payload = format!(r#"{{"owner_id": "{owner}"}}"#);
    created.metadata.actor = format!("user:{owner}");
    created.metadata.correlation_id = Some("request".to_owned());
    store.append(append_to("other", 0, 2)).await.unwrap();
    store.append(created).await.unwrap();
    let mut later = append_to("mine", 1, 2);
    later.streams[0].aggregate_type = "strategy";
    store.append(later).await.unwrap();

    let reads = ReadModels::new(test.database.clone());
    reads.prepare().await.unwrap();
    runner::catch_up(&reads, &store, streams::NAME).await.unwrap();
    let middle = store.read_after(2, 1).await.unwrap().remove(0).recorded_at;
    let positions = async |filter: EventFilter| -> Vec<i64> {
        let events = store.read_filtered(&filter, 10).await.unwrap();
        events.iter().map(|event| event.position).collect()
    };
    let all = EventFilter::default;
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(positions(all()).await, [1, 2, 3, 4, 5]);
    assert_eq!(positions(EventFilter { after: Some(3), ..all() }).await, [4, 5]);
    let back = Direction::Backward;
    assert_eq!(positions(EventFilter { direction: back, ..all() }).await, [5, 4, 3, 2, 1]);
    let filter = EventFilter { after: Some(3), direction: back, ..all() };
    assert_eq!(positions(filter).await, [2, 1]);
    let filter = EventFilter { aggregate_type: some("strategy"), ..all() };
    assert_eq!(positions(filter).await, [3, 4, 5]);
    assert_eq!(positions(EventFilter { aggregate_id: some("other"), ..all() }).await, [1, 2]);
    assert_eq!(positions(EventFilter { event_type: some("StrategyCreated"), ..all() }).await, [3]);
    assert_eq!(positions(EventFilter { actor: Some(format!("user:{owner}")), ..all() }).await, [3]);
    assert_eq!(positions(EventFilter { correlation_id: some("request"), ..all() }).await, [3]);
    assert_eq!(positions(EventFilter { owner_id: Some(owner), ..all() }).await, [3, 4, 5]);
    assert_eq!(positions(EventFilter { from: Some(middle), ..all() }).await, [3, 4, 5]);
    let before = middle - TimeDelta::microseconds(1);
    assert_eq!(positions(EventFilter { to: Some(before), ..all() }).await, [1, 2]);
    assert_eq!(positions(EventFilter { to: Some(middle), ..all() }).await, [1, 2, 3]);
    let none = EventFilter { from: Some(middle + TimeDelta::hours(1)), ..all() };
    assert!(positions(none).await.is_empty());
}

#[tokio::test]
async fn an_append_wakes_this_process_at_once_and_another_soon() {
    let test = TestDatabase::new().await;
    let (here, there) = (test.store(), test.store());
    let (mut woken_here, mut woken_there) = (here.wakeups(), there.wakeups());
    here.append(append_to("a", 0, 3)).await.unwrap();
    assert_eq!(*woken_here.borrow_and_update(), 3);
    let soon = woken_there.wait_for(|position| *position == 3);
    timeout(Duration::from_secs(5), soon).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_nobody_notified_is_found_by_polling() {
    let test = TestDatabase::new().await;
    let store = test.store();
    let mut woken = store.wakeups();
    let foreign = "SET ROLE backtrail_foreign; \
                   INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata) \
                   VALUES ('tally', 'a', 1, 'Counted', '1.0', '{}', '{}')";
    test.superuser().await.batch_execute(foreign).await.unwrap();
    let soon = woken.wait_for(|position| *position == 1);
    timeout(Duration::from_secs(5), soon).await.unwrap().unwrap();
}
