//! Read your writes: whoever knows a position never reads from before it.

use std::time::Duration;

use domain::ids::{BacktestId, StrategyId};
use projections::{Behind, QueryError, ReadModels, page::PageRequest, runner};
use tests::TestDatabase;
use tokio::sync::watch;
use uuid::Uuid;

use super::{Bench, history::*};

const BOUND: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_read_after_a_write_never_misses() {
    let bench = Bench::new().await;
    let (stop, stopped) = watch::channel(false);
    let runner = runner::start(bench.reads.clone(), bench.store.clone(), stopped);
    for number in 0..300 {
        let id = Uuid::from_u128(number);
        let event = created(user(7), &number.to_string());
        let position = append(&bench.store, "strategy", id, 0, &[event]).await;
        bench.reads.wait_for(&["strategies"], position, BOUND).await.unwrap();
        let row = bench.reads.strategy(StrategyId::new(id)).await.unwrap();
        assert_eq!(row.map(|row| row.position), Some(position));
    }
    stop.send(true).unwrap();
    runner.await.unwrap();
}

#[tokio::test]
async fn a_process_that_does_not_project_waits_for_the_one_that_does() {
    let bench = Bench::new().await;
    let (stop, stopped) = watch::channel(false);
    let elsewhere = ReadModels::new(bench.database.database.clone());
    let runner = runner::start(elsewhere, bench.database.store(), stopped);
    for number in 0..50 {
        let id = Uuid::from_u128(number);
        let position = run(&bench.store, id, user(7), 3, None).await;
        bench.reads.wait_for(&["backtests"], position, BOUND).await.unwrap();
        let row = bench.reads.backtest(BacktestId::new(id)).await.unwrap().unwrap();
        // The run's own rows wait for what its row knows, without being told.
        let page = PageRequest::Cursor { cursor: None, limit: 100 };
        assert_eq!(bench.reads.ledger(&row, &page).await.unwrap().rows.len(), 6);
        assert_eq!(bench.equity(&row).await.len(), 3);
    }
    stop.send(true).unwrap();
    runner.await.unwrap();
}

#[tokio::test]
async fn a_row_that_was_just_made_is_waited_for_and_an_unknown_one_is_not() {
    let bench = Bench::new().await;
    let (made, unknown) = (Uuid::from_u128(1), Uuid::from_u128(2));
    append(&bench.store, "strategy", made, 0, &[created(user(7), "a")]).await;
    let asked = bench.reads.strategy(StrategyId::new(made));
    let (stop, stopped) = watch::channel(false);
    let reads = bench.reads.clone();
    let store = bench.store.clone();
    // The reader is polled first: nothing projects before it has looked.
    let started = async { (runner::start(reads, store, stopped),) };
    let (row, (runner,)) = tokio::join!(asked, started);
    assert!(row.unwrap().is_some());
    assert_eq!(bench.reads.strategy(StrategyId::new(unknown)).await.unwrap(), None);
    stop.send(true).unwrap();
    runner.await.unwrap();
    // With nobody who projects, a miss is not believed.
    let late = Uuid::from_u128(3);
    append(&bench.store, "strategy", late, 0, &[created(user(7), "b")]).await;
    let reads = bench.reads.clone().with_read_wait(Duration::from_millis(30));
    let refused = reads.strategy(StrategyId::new(late)).await;
    assert!(matches!(refused, Err(QueryError::Behind(_))), "{refused:?}");
}

#[tokio::test]
async fn waiting_ends_at_the_bound_and_names_what_is_behind() {
    let bench = Bench::new().await;
    let position = run(&bench.store, Uuid::from_u128(1), user(7), 3, None).await;
    let bound = Duration::from_millis(30);
    let behind = bench.reads.wait_for(&["ledger"], position, bound).await.unwrap_err();
    assert_eq!(behind, Behind { read_model: "ledger", position });

    runner::catch_up(&bench.reads, &bench.store, "backtests").await.unwrap();
    let reads = bench.reads.clone().with_read_wait(bound);
    let row = reads.backtest(BacktestId::new(Uuid::from_u128(1))).await.unwrap().unwrap();
    let page = PageRequest::Cursor { cursor: None, limit: 100 };
    let refused = reads.ledger(&row, &page).await.unwrap_err();
    assert!(matches!(refused, QueryError::Behind(_)), "{refused}");
}

#[tokio::test]
async fn a_service_is_ready_when_every_read_model_has_caught_up_once() {
    let database = TestDatabase::new().await;
    let (store, reads) = (database.store(), ReadModels::new(database.database.clone()));
    run(&store, Uuid::from_u128(1), user(7), 3, None).await;
    assert!(!reads.is_ready().await.unwrap());
    let bench = Bench { database, store, reads };
    bench.reads.prepare().await.unwrap();
    assert!(!bench.reads.is_ready().await.unwrap());
    bench.catch_up().await;
    assert!(bench.reads.is_ready().await.unwrap());
    run(&bench.store, Uuid::from_u128(2), user(7), 3, None).await;
    assert!(bench.reads.is_ready().await.unwrap());
}

#[tokio::test]
async fn a_service_over_an_empty_log_is_ready_at_once() {
    let bench = Bench::new().await;
    assert!(bench.reads.is_ready().await.unwrap());
    assert_eq!(bench.rows("trades").await, Vec::<String>::new());
}
