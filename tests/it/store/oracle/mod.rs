//! The oracle: whatever happens to those who write, a reader that polls sees every committed event once, in order, no gap.

mod adversity;
mod writers;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use domain::event::RecordedEvent;
use infra::postgres::{DatabaseError, EventStore};
use tests::TestCluster;
use tokio::task::JoinSet;

use self::writers::Acknowledged;

/// How long the writers write.
const DURATION: Duration = Duration::from_secs(8);

#[tokio::test(flavor = "multi_thread")]
async fn a_polling_reader_sees_every_committed_event_once_in_order_without_a_gap() {
    let cluster = TestCluster::private().await;
    let test = cluster.database().await;
    let is_over = Arc::new(AtomicBool::new(false));
    let is_all_written = Arc::new(AtomicBool::new(false));

    let reader = || tokio::spawn(poll(test.store(), is_all_written.clone()));
    let readers = [reader(), reader()];
    let mut troubles = JoinSet::new();
    troubles.spawn(adversity::kill_backends(test.superuser().await, is_over.clone()));
    troubles.spawn(adversity::write_as_a_stranger(test.foreign_url.clone(), is_over.clone()));
    troubles.spawn(adversity::stop_in_mid_transaction(test.foreign_url.clone(), is_over.clone()));
    troubles.spawn(adversity::import_candles(test.database.clone(), is_over.clone()));
    troubles.spawn(adversity::copy_in_one_transaction(test.superuser().await, is_over.clone()));
    let long_reader =
        tokio::spawn(adversity::read_for_long(test.superuser().await, is_over.clone()));
    let acknowledged = writers::run(&test.url, DURATION).await;
    is_over.store(true, Ordering::Relaxed);
    let happened = troubles.join_all().await;
    assert!(happened.iter().all(|count| *count > 0), "no trouble: {happened:?}");
    long_reader.await.unwrap();
    is_all_written.store(true, Ordering::Relaxed);

    let mut seen = Vec::new();
    for reader in readers {
        let events = reader.await.unwrap();
        assert!(seen.is_empty() || seen == events, "two readers saw different logs");
        seen = events;
    }
    let row = test
        .superuser()
        .await
        .query_one("SELECT count(*), max(position) FROM events", &[])
        .await
        .unwrap();
    let (count, last): (i64, i64) = (row.get(0), row.get(1));
    assert_eq!((count, last), (seen.len() as i64, seen.len() as i64));
    assert!(count > 1_000, "only {count} events were written");
    check_streams(&seen);
    check_acknowledged(&seen, &acknowledged);
    println!("{count} events, {} acknowledged, troubles {happened:?}", acknowledged.len());
}

/// Follows the log to its end as a consumer does; panics at the first event that is not the next one.
async fn poll(store: EventStore, is_all_written: Arc<AtomicBool>) -> Vec<RecordedEvent> {
    let mut seen: Vec<RecordedEvent> = Vec::new();
    let mut wakeups = store.wakeups();
    loop {
        let is_end = is_all_written.load(Ordering::Relaxed);
        let events = match store.read_after(seen.len() as i64, 500).await {
            Ok(events) => events,
            Err(DatabaseError::Statement(_) | DatabaseError::Unavailable(_)) => continue,
            Err(error) => panic!("{error}"),
        };
        if events.is_empty() {
            if is_end {
                return seen;
            }
            // A hint or a moment, whichever comes first.
            let moment = Duration::from_millis(5);
            drop(tokio::time::timeout(moment, wakeups.changed()).await);
        }
        for event in events {
            assert_eq!(event.position, seen.len() as i64 + 1, "after {:?}", seen.last());
            seen.push(event);
        }
    }
}

/// Each stream's sequences follow each other from 1, and time never goes back.
fn check_streams(events: &[RecordedEvent]) {
    assert!(events.is_sorted_by_key(|event| event.recorded_at));
    let mut sequences: HashMap<(&str, &str), i64> = HashMap::new();
    for event in events {
        let stream = (event.aggregate_type.as_str(), event.aggregate_id.as_str());
        let sequence = sequences.entry(stream).or_default();
        *sequence += 1;
        assert_eq!(event.sequence, *sequence, "{stream:?} at position {}", event.position);
    }
}

/// What a writer was told is done lies where it was told.
fn check_acknowledged(events: &[RecordedEvent], acknowledged: &[Acknowledged]) {
    assert!(acknowledged.len() > 100, "only {} appends were acknowledged", acknowledged.len());
    for append in acknowledged {
        let positions = append.first_position..=append.last_position;
        assert_eq!(positions.clone().count(), append.events_count, "{append:?}");
        for position in positions {
            let event = &events[position as usize - 1];
            assert!(append.streams.contains(&event.aggregate_id), "{append:?}: {event:?}");
        }
    }
}
