//! Several runners at once, and runners that are killed: every event is taken in exactly once.

use std::time::Duration;

use projections::{ReadModels, runner, status};
use tokio::sync::watch;
use uuid::Uuid;

use super::{Bench, history::*};

const NAMES: [&str; 7] =
    ["strategies", "strategy_versions", "backtests", "ledger", "trades", "sweeps", "streams"];
const BOUND: Duration = Duration::from_secs(60);

/// Compares every table with what a rebuild of it gives.
async fn assert_rebuilds_equal(bench: &Bench) {
    for model in status::list() {
        let live = bench.family_rows(model.table).await;
        bench.reads.rebuild(&bench.store, model.name, |_| {}).await.expect(model.name);
        assert_eq!(bench.family_rows(model.table).await, live, "{}", model.name);
    }
}

#[tokio::test]
async fn two_runners_take_every_event_in_once() {
    let bench = Bench::new().await;
    let (stop, stopped) = watch::channel(false);
    let other = ReadModels::new(bench.database.database.clone());
    let runners = [
        runner::start(bench.reads.clone(), bench.store.clone(), stopped.clone()),
        runner::start(other, bench.database.store(), stopped),
    ];
    let mut position = 0;
    for number in 0..40 {
        let strategy = Uuid::from_u128(1000 + number);
        append(&bench.store, "strategy", strategy, 0, &[created(user(7), &number.to_string())])
            .await;
        position = run(&bench.store, Uuid::from_u128(number), user(7), 10, Some(1.0)).await;
    }
    bench.reads.wait_for(&NAMES, position, BOUND).await.unwrap();
    stop.send(true).unwrap();
    for runner in runners {
        runner.await.unwrap();
    }
    assert_eq!(bench.rows("ledger_v3").await.len(), 40 * 20);
    assert_eq!(bench.rows("backtests_v6").await.len(), 40);
    assert_rebuilds_equal(&bench).await;
}

#[tokio::test]
async fn runners_that_are_killed_at_any_moment_lose_and_repeat_nothing() {
    let bench = Bench::new().await;
    let mut position = 0;
    for number in 0..30 {
        position = run(&bench.store, Uuid::from_u128(number), user(7), 200, Some(1.0)).await;
        let (_stop, stopped) = watch::channel(false);
        let reads = ReadModels::new(bench.database.database.clone());
        let mut runner = runner::start(reads, bench.store.clone(), stopped);
        // From "before the first batch" to "in the middle of a later one".
        let moment = Duration::from_micros(u64::try_from(number).unwrap() * 700);
        let ended = tokio::time::timeout(moment, &mut runner).await;
        assert!(ended.is_err(), "the runner was still at work");
        runner.abort();
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE datname = current_database() AND pid <> pg_backend_pid() \
                   AND query ~ 'read_models' AND state <> 'idle'";
        bench.database.superuser().await.execute(sql, &[]).await.unwrap();
    }
    let (stop, stopped) = watch::channel(false);
    let runner = runner::start(bench.reads.clone(), bench.store.clone(), stopped);
    bench.reads.wait_for(&NAMES, position, BOUND).await.unwrap();
    stop.send(true).unwrap();
    runner.await.unwrap();
    assert_eq!(bench.rows("ledger_v3").await.len(), 30 * 400);
    assert_eq!(bench.reads.dead_letters().await.unwrap(), []);
    assert_rebuilds_equal(&bench).await;
}

#[tokio::test]
async fn thousands_of_events_are_taken_in_batches() {
    let bench = Bench::new().await;
    let id = Uuid::from_u128(1);
    append(&bench.store, "backtest", id, 0, &[requested(user(7), id, "BTCUSDT")]).await;
    append(&bench.store, "ledger", id, 0, &[ledger_opened(id)]).await;
    for chunk in 0..30_u32 {
        let entries = round_trips(id, chunk * 200 + 1..=chunk * 200 + 200);
        append(&bench.store, "ledger", id, 1 + i64::from(chunk) * 400, &entries).await;
    }
    assert_eq!(bench.catch_up().await, [0, 0, 12_002, 12_002, 12_002, 0, 2]);
    assert_eq!(bench.catch_up().await, [0; NAMES.len()]);
    assert_eq!(bench.rows("trades_v4").await.len(), 6_000);
    assert_rebuilds_equal(&bench).await;
}
