//! Rebuilding a read model gives the rows that following the log gave.

use domain::{backtest::BacktestEvent, strategy::StrategyEvent};
use infra::postgres::{Database, EventStore};
use projections::{ReadModels, rebuild::RebuildError, runner, status, trades};
use tokio::sync::watch;
use uuid::Uuid;

use super::{Bench, history::*};

/// The least that `database.connections_max` may be.
const CONNECTIONS_MIN: usize = 10;

/// Strategies and runs in every state, projected in several batches.
async fn follow_a_varied_history(bench: &Bench) {
    for number in 1..=4 {
        let id = Uuid::from_u128(number);
        append(&bench.store, "strategy", id, 0, &[created(user(7), &format!("s-{number}"))]).await;
        run(&bench.store, Uuid::from_u128(10 + number), user(7), 6, Some(0.5)).await;
        bench.catch_up().await;
        let revised = StrategyEvent::StrategyRevised { version: 2, content: content("renamed") };
        append(&bench.store, "strategy", id, 1, &[revised]).await;
    }
    append(&bench.store, "strategy", Uuid::from_u128(2), 2, &[StrategyEvent::StrategyDeleted {}])
        .await;
    let deleted = [BacktestEvent::BacktestDeleted {}];
    append(&bench.store, "backtest", Uuid::from_u128(12), 4, &deleted).await;
    let swept = ["SweepRequested", "SweepStarted", "SweepCompleted"].map(of_sweep);
    for number in 30..32 {
        append(&bench.store, "sweep", Uuid::from_u128(number), 0, &swept).await;
        bench.catch_up().await;
    }
    append(&bench.store, "sweep", Uuid::from_u128(31), 3, &[of_sweep("SweepDeleted")]).await;
    let open = Uuid::from_u128(20);
    let begin = [requested(user(8), Uuid::from_u128(1), "GOOG"), claimed(1), started()];
    append(&bench.store, "backtest", open, 0, &begin).await;
    append(&bench.store, "ledger", open, 0, &[ledger_opened(open), trade_opened(open, 1)]).await;
    bench.catch_up().await;
}

#[tokio::test]
async fn every_read_model_is_rebuilt_row_by_row_as_it_was() {
    let bench = Bench::new().await;
    follow_a_varied_history(&bench).await;
    for model in status::list() {
        let live = bench.family_rows(model.table).await;
        assert!(!live.is_empty(), "{} has rows to compare", model.name);
        let mut seen = Vec::new();
        let taken = bench.reads.rebuild(&bench.store, model.name, |p| seen.push(p)).await.unwrap();
        assert!(taken > 0);
        let last = seen.last().unwrap();
        assert!(last.position >= last.target && last.target == bench.store.head().await.unwrap());
        assert_eq!(bench.family_rows(model.table).await, live, "{}", model.name);
        // The view shows the new table.
        let table = bench.rows(model.table).await;
        assert_eq!(bench.rows(model.name).await, table, "{}", model.name);
    }
    // And again: names of indexes were given back.
    bench.reads.rebuild(&bench.store, trades::NAME, |_| {}).await.unwrap();
}

#[tokio::test]
async fn a_rebuilt_read_model_goes_on_from_its_checkpoint() {
    let bench = Bench::new().await;
    follow_a_varied_history(&bench).await;
    let (stop, stopped) = watch::channel(false);
    let runner = runner::start(bench.reads.clone(), bench.store.clone(), stopped);
    for number in 0..10 {
        run(&bench.store, Uuid::from_u128(100 + number), user(7), 20, None).await;
        bench.reads.rebuild(&bench.store, trades::NAME, |_| {}).await.unwrap();
    }
    let position = run(&bench.store, Uuid::from_u128(200), user(7), 20, None).await;
    let bound = std::time::Duration::from_secs(20);
    bench.reads.wait_for(&[trades::NAME], position, bound).await.unwrap();
    stop.send(true).unwrap();
    runner.await.unwrap();
    let live = bench.rows("trades_v4").await;
    assert_eq!(live.len(), 3 * 6 + 1 + 11 * 20);
    bench.reads.rebuild(&bench.store, trades::NAME, |_| {}).await.unwrap();
    assert_eq!(bench.rows("trades_v4").await, live);
}

#[tokio::test]
async fn a_rebuild_needs_no_more_than_the_fewest_connections() {
    let bench = Bench::new().await;
    follow_a_varied_history(&bench).await;
    let database = Database::connect(&bench.database.url, CONNECTIONS_MIN).await.unwrap();
    let store = EventStore::start(database.clone());
    // Events that the live one has and the rebuild meets at the end, too.
    run(&bench.store, Uuid::from_u128(300), user(7), 20, None).await;
    bench.catch_up().await;
    let live = bench.rows("trades_v4").await;
    ReadModels::new(database).rebuild(&store, trades::NAME, |_| {}).await.unwrap();
    assert_eq!(bench.rows("trades_v4").await, live);
}

#[tokio::test]
async fn one_rebuild_of_a_read_model_runs_at_a_time() {
    let bench = Bench::new().await;
    follow_a_varied_history(&bench).await;
    let (first, second) = tokio::join!(
        bench.reads.rebuild(&bench.store, trades::NAME, |_| {}),
        bench.reads.rebuild(&bench.store, trades::NAME, |_| {}),
    );
    let refused =
        |result: &Result<u64, RebuildError>| matches!(result, Err(RebuildError::AlreadyRunning(_)));
    assert!(refused(&first) != refused(&second), "{first:?} {second:?}");
    assert_eq!(bench.rows("trades_v4").await.len(), 3 * 6 + 1);
}

#[tokio::test]
async fn pruning_drops_older_versions_and_what_rebuilds_left() {
    let bench = Bench::new().await;
    let admin = bench.database.superuser().await;
    follow_a_varied_history(&bench).await;
    for table in ["trades_v0", "trades_v5", "trades_v4_rebuild"] {
        let sql = format!(
            "CREATE TABLE read_models.{table} (); \
             ALTER TABLE read_models.{table} OWNER TO backtrail_app; \
             INSERT INTO read_models.checkpoints (table_name) VALUES ('{table}')"
        );
        admin.batch_execute(&sql).await.unwrap();
    }
    let mut dropped = bench.reads.prune().await.unwrap();
    dropped.sort();
    assert_eq!(dropped, ["trades_v0", "trades_v4_rebuild"]);
    assert_eq!(bench.reads.prune().await.unwrap(), Vec::<String>::new());
    assert_eq!(bench.rows("trades").await.len(), 3 * 6 + 1);
}

#[tokio::test]
async fn an_unknown_name_is_refused() {
    let bench = Bench::new().await;
    let refused = bench.reads.rebuild(&bench.store, "candles", |_| {}).await.unwrap_err();
    assert!(matches!(refused, RebuildError::Unknown(_)));
}
