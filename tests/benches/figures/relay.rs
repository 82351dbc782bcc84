//! How fast the relay brings a log of ledger events into the topics of a real broker on this machine.

use std::time::{Duration, Instant};

use infra::{
    kafka::{Relay, create_topics},
    postgres::{leaders::Candidate, relays::Relays},
};
use tests::{TestCluster, kafka::TestKafka};
use tokio::sync::watch;
use uuid::Uuid;

use crate::{Figure, median, projection};

pub(crate) const NAMES: [&str; 1] = ["relay_events"];
const ROUNDS: usize = 3;

/// From the first look at the log until the checkpoint says that all of it is acknowledged by the broker.
pub(crate) async fn measure(cluster: &TestCluster) -> Vec<Figure> {
    let kafka = TestKafka::private();
    if !kafka.is_real() {
        return Vec::new();
    }
    let mut rates = Vec::new();
    for round in 0..ROUNDS {
        let test = cluster.database().await;
        let store = test.store();
        for number in 0..projection::RUNS {
            projection::append_ledger(&store, Uuid::from_u128(u128::from(number) + 1)).await;
        }
        let options = kafka.options();
        create_topics(&options).await.expect("the topics");
        let relays = Relays::new(test.database.clone(), options.topic_prefix.clone());
        let candidate = Candidate::new(&test.database, Relays::ROLE, format!("figure-{round}"));
        let (stop, stopped) = watch::channel(false);
        let head = store.head().await.expect("a log");
        let started = Instant::now();
        let relay = tokio::spawn(Relay::new(store, options, false).run(candidate, stopped));
        while relays.position().await.expect("a checkpoint") < head {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        rates.push(head as f64 / started.elapsed().as_secs_f64());
        stop.send_replace(true);
        relay.await.expect("the relay's end");
    }
    vec![Figure::alone("relay_events", median(rates), "events/s", "value >= 50000")]
}
