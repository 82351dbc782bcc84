//! Kafka: the topics, the relay from the log to them, and the executors' consumer group, on a real broker.

mod ahead;
mod brokers;
mod catalogue;
mod consumer_group;
mod dead_letters;
mod foreign;
mod rebalances;
mod relay;
mod takeover;
mod too_large;
mod topics;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use domain::event::Metadata;
use infra::{
    kafka::{KafkaOptions, Relay},
    postgres::{
        EventStore,
        event_store::{Append, NewEvent, Outcome, Priority, StreamAppend},
        leaders::Candidate,
        relays::{RelayStatus, Relays},
    },
};
use tests::{
    Backtrail,
    kafka::{TopicReader, kafka_environment},
};
use tokio::{sync::watch, task::JoinHandle};
use uuid::Uuid;

/// Long enough for a busy machine; a test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(180);

/// Appends so many events with payloads of that length to a stream; returns the last position.
async fn append(
    store: &EventStore,
    (aggregate_type, id): (&'static str, u128),
    expected_sequence: i64,
    count: usize,
    payload_bytes: usize,
) -> i64 {
    let event = |number: usize| {
        // Nothing that compresses well.
        let ids = std::iter::repeat_with(|| Uuid::new_v4().simple().to_string());
        let filling: String = ids.take(payload_bytes / 32).collect();
        NewEvent {
            event_type: "Counted".to_owned(),
            event_version: "1.0".to_owned(),
            payload: format!(r#"{{"type":"Counted","number":{number},"filling":"{filling}"}}"#),
        }
    };
    let append = Append {
        streams: vec![StreamAppend {
            aggregate_type,
            aggregate_id: Uuid::from_u128(id).to_string(),
            expected_sequence,
            events: (0..count).map(event).collect(),
        }],
        metadata: Metadata { actor: "system:test".to_owned(), ..Metadata::default() },
        command: None,
        reservations: Vec::new(),
        priority: Priority::Ledger,
    };
    let outcome = store.append(append).await.unwrap();
    let Outcome::Appended { last_position, .. } = outcome else { panic!("{outcome:?}") };
    last_position
}

/// The log, as the topics should show it.
async fn log_by_key(
    store: &EventStore,
    options: &KafkaOptions,
) -> BTreeMap<(String, String), Vec<i64>> {
    let mut found: BTreeMap<(String, String), Vec<i64>> = BTreeMap::new();
    for event in store.read_after(0, i64::MAX).await.unwrap() {
        let topic = options.topic(&event.aggregate_type);
        found.entry((topic, event.aggregate_id)).or_default().push(event.position);
    }
    found
}

/// All topics of events.
fn reader(options: &KafkaOptions) -> TopicReader {
    TopicReader::of_events(options)
}

fn relays(store: &EventStore, options: &KafkaOptions) -> Relays {
    Relays::new(store.database().clone(), options.topic_prefix.clone())
}

/// Waits until the relay's status satisfies.
async fn status_where(
    store: &EventStore,
    options: &KafkaOptions,
    what: &str,
    is_enough: impl Fn(&RelayStatus) -> bool,
) -> RelayStatus {
    let relays = relays(store, options);
    let started = Instant::now();
    loop {
        let status = relays.status().await.unwrap();
        if is_enough(&status) {
            return status;
        }
        assert!(started.elapsed() < PATIENCE, "{what}: {status:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until the whole log is with the brokers.
async fn relayed(store: &EventStore, options: &KafkaOptions) {
    let is_there = |status: &RelayStatus| status.position == status.head;
    status_where(store, options, "the relay catches up", is_there).await;
}

/// A relay in this process.
struct Relaying {
    relay: Relay,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Relaying {
    fn start(store: &EventStore, options: &KafkaOptions) -> Self {
        let relay = Relay::new(store.clone(), options.clone(), true);
        let name = format!("test-{}", Uuid::now_v7());
        let candidate = Candidate::new(store.database(), Relays::ROLE, name);
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(relay.clone().run(candidate, stopped));
        Self { relay, stop, task }
    }

    async fn end(self) {
        self.stop.send_replace(true);
        self.task.await.unwrap();
    }
}

/// The binary on that database and those topics.
fn binary(database_url: &str, options: &KafkaOptions) -> Backtrail {
    let binary = Backtrail::new(crate::BACKTRAIL).with("BACKTRAIL_DATABASE__URL", database_url);
    let environment = kafka_environment(options);
    environment.iter().fold(binary, |binary, (name, value)| binary.with(name, value))
}
