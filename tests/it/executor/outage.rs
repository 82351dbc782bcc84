//! What becomes of jobs while PostgreSQL is away for longer than their leases.

use std::time::{Duration, Instant};

use domain::job::Status;
use infra::postgres::jobs::{BACKTEST, SWEEP};
use tests::TestCluster;
use tokio::task::block_in_place;

use super::{
    Desk,
    desk::{minutes, user},
    sweeps,
};

/// Longer than the executor's lease of a second.
const OUTAGE: Duration = Duration::from_secs(2);

/// Lease, term and attempt of the one job of this kind; `None` before it is queued.
async fn row(desk: &Desk, kind: &str) -> Option<(bool, i64, i32)> {
    let sql = "SELECT lease_owner IS NOT NULL, term, attempt FROM jobs WHERE kind = $1";
    let row = desk.superuser().await.query_opt(sql, &[&kind]).await.unwrap()?;
    Some((row.get(0), row.get(1), row.get(2)))
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_that_an_outage_struck_are_released_when_it_is_over_and_do_not_count() {
    let cluster = TestCluster::private().await;
    let desk = Desk::over(cluster.database().await);
    desk.import(&minutes(60_000)).await;
    let owner = user();
    let strategy = desk.strategy(owner).await;
    let run = desk.request(owner, strategy).await;
    let sweep = sweeps::requested(&desk, owner, 4_000).await;
    let executor = desk.executor("one");
    for leases in 1..=4 {
        for kind in [BACKTEST.name, SWEEP.name] {
            desk.until(async || row(&desk, kind).await == Some((true, leases, 1))).await;
        }
        block_in_place(|| cluster.stop());
        let begun = Instant::now();
        while begun.elapsed() < OUTAGE {
            assert!(desk.database().get().await.is_err(), "the database is away");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        block_in_place(|| cluster.start_again());
    }
    desk.commands.delete_sweep(&super::desk::context(owner), sweep).await.unwrap();
    desk.until_status(run, Status::Completed).await;
    sweeps::until_dequeued(&desk, sweep).await;
    executor.stop().await;
    assert_eq!(desk.backtest(run).await.attempt(), 1);
}
