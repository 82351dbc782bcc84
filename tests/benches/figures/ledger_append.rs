//! Ledger append in batches of 1,000 against raw UNNEST inserts, by one writer and by two.

use std::time::Instant;

use futures_util::future::join_all;
use infra::postgres::{
    EventStore,
    event_store::{Append, Outcome, Priority},
};
use tests::{TestCluster, TestDatabase};

use crate::{
    Figure, median,
    raw::{self, Unnest},
};

pub(crate) const NAMES: [&str; 2] = ["ledger_append_1_writer", "ledger_append_2_writers"];
const BATCH: usize = 1_000;
const BATCHES: usize = 40;
const ROUNDS: usize = 7;

pub(crate) async fn measure(cluster: &TestCluster) -> Vec<Figure> {
    let test = cluster.database().await;
    raw::create_table(&test).await;
    let store = test.store();
    let one = compare(&test, &store, 1).await;
    let two = compare(&test, &store, 2).await;
    vec![
        Figure::beside(NAMES[0], one.0, "events/s", one.1, "ratio >= 0.85"),
        Figure::beside(NAMES[1], two.0, "events/s", two.1, "ratio >= 0.65"),
    ]
}

/// Events a second of the store and of the raw inserts, medians of alternating rounds; the first round warms up.
async fn compare(test: &TestDatabase, store: &EventStore, writers: usize) -> (f64, f64) {
    let connections = join_all((0..writers).map(|_| Unnest::connect(test))).await;
    let (mut ours, mut raws) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let raw =
            rate(writers, join_all(batches(writers).into_iter().zip(&connections).map(raw_writer)));
        let raw = raw.await;
        let our = rate(
            writers,
            join_all(batches(writers).into_iter().map(|work| our_writer(store, work))),
        );
        let our = our.await;
        if round > 0 {
            ours.push(our);
            raws.push(raw);
        }
    }
    (median(ours), median(raws))
}

fn batches(writers: usize) -> Vec<Vec<Append>> {
    let batch = || raw::append(BATCH, Priority::Ledger);
    (0..writers).map(|_| (0..BATCHES).map(|_| batch()).collect()).collect()
}

async fn rate(writers: usize, work: impl Future) -> f64 {
    let started = Instant::now();
    work.await;
    (writers * BATCHES * BATCH) as f64 / started.elapsed().as_secs_f64()
}

async fn raw_writer((batches, connection): (Vec<Append>, &Unnest)) {
    for batch in &batches {
        connection.insert(batch).await;
    }
}

async fn our_writer(store: &EventStore, batches: Vec<Append>) {
    for batch in batches {
        let outcome = store.append(batch).await.expect("the append");
        assert!(matches!(outcome, Outcome::Appended { .. }));
    }
}
