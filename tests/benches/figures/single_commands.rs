//! Single commands of 32 clients against one raw INSERT each over 32 connections.

use std::time::Instant;

use futures_util::future::join_all;
use infra::postgres::{
    EventStore,
    event_store::{Append, Outcome, Priority},
};
use tests::TestCluster;

use crate::{
    Figure, median,
    raw::{self, Single},
};

pub(crate) const NAMES: [&str; 1] = ["single_commands_32_clients"];
const CLIENTS: usize = 32;
const COMMANDS: usize = 500;
const ROUNDS: usize = 7;

/// Commands a second, medians of alternating rounds; the first round warms up.
pub(crate) async fn measure(cluster: &TestCluster) -> Vec<Figure> {
    let test = cluster.database().await;
    raw::create_table(&test).await;
    let store = test.store();
    let connections = join_all((0..CLIENTS).map(|_| Single::connect(&test))).await;
    let (mut ours, mut raws) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let raw = rate(join_all(commands().into_iter().zip(&connections).map(raw_client))).await;
        let our = rate(join_all(commands().into_iter().map(|work| our_client(&store, work)))).await;
        if round > 0 {
            ours.push(our);
            raws.push(raw);
        }
    }
    vec![Figure::beside(NAMES[0], median(ours), "commands/s", median(raws), "ratio >= 1.3")]
}

fn commands() -> Vec<Vec<Append>> {
    let command = || raw::append(1, Priority::Interactive);
    (0..CLIENTS).map(|_| (0..COMMANDS).map(|_| command()).collect()).collect()
}

async fn rate(work: impl Future) -> f64 {
    let started = Instant::now();
    work.await;
    (CLIENTS * COMMANDS) as f64 / started.elapsed().as_secs_f64()
}

async fn raw_client((commands, connection): (Vec<Append>, &Single)) {
    for command in &commands {
        connection.insert(command).await;
    }
}

async fn our_client(store: &EventStore, commands: Vec<Append>) {
    for command in commands {
        let outcome = store.append(command).await.expect("the append");
        assert!(matches!(outcome, Outcome::Appended { .. }));
    }
}
