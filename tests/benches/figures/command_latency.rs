//! How long a command takes beside two ledger writers that never pause.

use std::time::{Duration, Instant};

use infra::postgres::{
    EventStore,
    event_store::{Append, Priority},
};
use tests::TestCluster;
use tokio::{sync::watch, task::JoinSet};

use crate::{Figure, percentile, raw};

pub(crate) const NAMES: [&str; 3] = [
    "command_beside_ledger_writers_p50",
    "command_beside_ledger_writers_p99",
    "ledger_events_beside_commands",
];
/// An executor's chunk.
const CHUNK: usize = 250;
const WRITERS: usize = 2;
const CLIENTS: usize = 4;
const DURATION: Duration = Duration::from_secs(8);

pub(crate) async fn measure(cluster: &TestCluster) -> Vec<Figure> {
    let test = cluster.database().await;
    let store = test.store();
    let stop = watch::Sender::new(false);
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        writers.spawn(ledger_writer(store.clone(), stop.subscribe()));
    }
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(client(store.clone(), stop.subscribe()));
    }
    tokio::time::sleep(DURATION).await;
    stop.send_replace(true);
    let mut latencies_ms: Vec<f64> = clients.join_all().await.concat();
    latencies_ms.sort_by(f64::total_cmp);
    let chunks: usize = writers.join_all().await.iter().sum();
    let rate = (chunks * CHUNK) as f64 / DURATION.as_secs_f64();
    vec![
        Figure::alone(NAMES[0], percentile(&latencies_ms, 0.5), "ms", "–"),
        Figure::alone(NAMES[1], percentile(&latencies_ms, 0.99), "ms", "value < 20"),
        Figure::alone(NAMES[2], rate, "events/s", "–"),
    ]
}

/// Chunks appended until told to stop, one after the other as an executor does.
async fn ledger_writer(store: EventStore, stop: watch::Receiver<bool>) -> usize {
    let mut chunks = 0;
    while !*stop.borrow() {
        append(&store, raw::append(CHUNK, Priority::Ledger)).await;
        chunks += 1;
    }
    chunks
}

/// Latencies in milliseconds of commands sent one after the other; those of the first second warm up.
async fn client(store: EventStore, stop: watch::Receiver<bool>) -> Vec<f64> {
    let begun = Instant::now();
    let mut latencies_ms = Vec::new();
    while !*stop.borrow() {
        let command = raw::append(1, Priority::Interactive);
        let started = Instant::now();
        append(&store, command).await;
        if begun.elapsed() > Duration::from_secs(1) {
            latencies_ms.push(started.elapsed().as_secs_f64() * 1e3);
        }
    }
    latencies_ms
}

async fn append(store: &EventStore, append: Append) {
    store.append(append).await.expect("the append");
}
