//! One relay at a time leads; when it is stopped or killed the next one goes on, and a stopped one that wakes does no harm.

use rustix::process::{Pid, Signal, kill_process};
use tests::{
    Served, TestDatabase,
    kafka::{TestKafka, positions_by_key},
};
use tokio::task::block_in_place;

use super::{append, binary, log_by_key, reader, relayed, status_where};

fn signal(served: &Served, signal: Signal) {
    let pid = i32::try_from(served.pid()).ok().and_then(Pid::from_raw).unwrap();
    kill_process(pid, signal).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_relay_goes_on_where_the_last_one_was() {
    let kafka = TestKafka::shared().await;
    let (database, options) = (TestDatabase::new().await, kafka.options());
    let store = database.store();
    let binary = binary(&database.url, &options);
    append(&store, ("ledger", 1), 0, 100, 100).await;
    let first = binary.start(&["serve", "--roles", "relay"]);
    relayed(&store, &options).await;
    let leader = |what| status_where(&store, &options, what, |status| status.leader.is_some());
    let leading = leader("one leads").await.leader;
    let second = binary.start(&["serve", "--roles", "relay"]);

    signal(&first, Signal::STOP);
    append(&store, ("ledger", 1), 100, 100, 100).await;
    relayed(&store, &options).await;
    assert_ne!(leader("the other leads").await.leader, leading);

    signal(&first, Signal::CONT);
    append(&store, ("ledger", 1), 200, 100, 100).await;
    relayed(&store, &options).await;

    second.kill();
    append(&store, ("ledger", 1), 300, 100, 100).await;
    relayed(&store, &options).await;
    first.kill();

    let mut reader = reader(&options);
    block_in_place(|| reader.read_until(|messages| messages.len() >= 400));
    block_in_place(|| reader.read_rest());
    assert_eq!(positions_by_key(&reader.messages), log_by_key(&store, &options).await);
}
