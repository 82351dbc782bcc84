//! Lists: filters, orders, pages by number with exact totals, cursors that hold while rows arrive.

use std::sync::atomic::{AtomicU64, Ordering};

use domain::{
    ids::{BacktestId, StrategyId},
    job::Status,
};
use projections::{
    QueryError,
    backtests::{BacktestFilter, BacktestSort},
    metric::{Comparison, Metric, MetricFilter},
    page::{PageRequest, Total},
    strategies::{StrategyFilter, StrategyScope, StrategySort},
    trades::TradeFilter,
};
use uuid::Uuid;

use super::{Bench, history::*};

fn mine() -> BacktestFilter {
    BacktestFilter { owner_id: Some(user(7)), ..BacktestFilter::default() }
}

fn sharpe() -> Metric {
    Metric::parse("sharpe_ratio").expect("a metric")
}

/// Runs with ids from 1 and these Sharpe ratios, none for one that is pending.
async fn runs_with(bench: &Bench, ratios: &[Option<f64>]) {
    for (id, ratio) in (1..).zip(ratios) {
        run(&bench.store, Uuid::from_u128(id), user(7), 1, *ratio).await;
    }
    bench.catch_up().await;
}

/// Ids of every row, page by page of two, with something done in between.
async fn follow_cursors(
    bench: &Bench,
    sort: BacktestSort,
    descending: bool,
    between: impl AsyncFn(),
) -> Vec<u128> {
    let (mut ids, mut cursor) = (Vec::new(), None);
    loop {
        let request = PageRequest::Cursor { cursor, limit: 2 };
        let page = bench.reads.list_backtests(&mine(), sort, descending, &request).await;
        let page = page.expect("a page");
        assert_eq!(page.total, None);
        ids.extend(page.rows.iter().map(|row| row.id.uuid().as_u128()));
        let Some(next) = page.next_cursor else { return ids };
        cursor = Some(next);
        between().await;
    }
}

#[tokio::test]
async fn runs_are_sorted_by_a_metric_with_undefined_ones_last() {
    let bench = Bench::new().await;
    runs_with(&bench, &[Some(1.0), None, Some(2.5), Some(-0.5), None, Some(1.0)]).await;
    let sort = BacktestSort::Metric(sharpe());
    let nothing = async || {};
    assert_eq!(follow_cursors(&bench, sort, true, nothing).await, [3, 6, 1, 4, 5, 2]);
    assert_eq!(follow_cursors(&bench, sort, false, nothing).await, [4, 1, 6, 3, 2, 5]);
    let trades = BacktestSort::Metric(Metric::parse("total_pnl").unwrap());
    assert_eq!(follow_cursors(&bench, trades, true, nothing).await, [6, 5, 4, 3, 2, 1]);
}

#[tokio::test]
async fn runs_are_filtered_by_metrics_asset_and_status() {
    let bench = Bench::new().await;
    runs_with(&bench, &[Some(1.0), None, Some(2.5), Some(-0.5)]).await;
    let pending = Uuid::from_u128(9);
    let strategy = Uuid::from_u128(77);
    append(&bench.store, "backtest", pending, 0, &[requested(user(7), strategy, "GOOG")]).await;
    let foreign = Uuid::from_u128(10);
    run(&bench.store, foreign, user(8), 1, Some(9.0)).await;
    bench.catch_up().await;
    let ids = async |filter: BacktestFilter| {
        let page = PageRequest::Number { page: 1, limit: 50 };
        let sort = BacktestSort::CreatedAt;
        let page = bench.reads.list_backtests(&filter, sort, false, &page).await.unwrap();
        assert_eq!(page.total, Some(Total::exact(i64::try_from(page.rows.len()).unwrap())));
        page.rows.iter().map(|row| row.id.uuid().as_u128()).collect::<Vec<_>>()
    };
    let over = |name: &str, comparison, value| BacktestFilter {
        metrics: vec![MetricFilter { metric: Metric::parse(name).unwrap(), comparison, value }],
        asset_symbol: Some("BTC".to_owned()),
        ..mine()
    };
    assert_eq!(ids(over("sharpe_ratio", Comparison::Gt, 1.0)).await, [3]);
    assert_eq!(ids(over("sharpe_ratio", Comparison::Gte, 1.0)).await, [1, 3]);
    assert_eq!(ids(over("sharpe_ratio", Comparison::Lt, 1.0)).await, [4]);
    assert_eq!(ids(over("total_trades", Comparison::Eq, 1.0)).await, [1, 2, 3, 4]);
    assert_eq!(ids(over("total_trades", Comparison::Gt, 0.5)).await, [1, 2, 3, 4]);
    assert_eq!(ids(BacktestFilter { statuses: vec![Status::Pending], ..mine() }).await, [9]);
    let symbol = Some("GOOG".parse().unwrap());
    assert_eq!(ids(BacktestFilter { symbol, ..mine() }).await, [9]);
    let strategy_id = Some(StrategyId::new(strategy));
    assert_eq!(ids(BacktestFilter { strategy_id, ..mine() }).await, [9]);
    assert_eq!(ids(BacktestFilter::default()).await, [1, 2, 3, 4, 9, 10]);
}

#[tokio::test]
async fn a_page_by_number_knows_the_exact_total() {
    let bench = Bench::new().await;
    runs_with(&bench, &[None; 5]).await;
    let list = async |page| {
        let request = PageRequest::Number { page, limit: 2 };
        let sort = BacktestSort::CreatedAt;
        let page = bench.reads.list_backtests(&mine(), sort, true, &request).await.unwrap();
        let ids: Vec<u128> = page.rows.iter().map(|row| row.id.uuid().as_u128()).collect();
        (ids, page.total, page.next_cursor.is_some())
    };
    assert_eq!(list(1).await, (vec![5, 4], Some(Total::exact(5)), true));
    assert_eq!(list(3).await, (vec![1], Some(Total::exact(5)), false));
    assert_eq!(list(4).await, (vec![], Some(Total::exact(5)), false));
}

#[tokio::test]
async fn cursors_show_every_old_row_once_while_new_ones_arrive() {
    let bench = Bench::new().await;
    runs_with(&bench, &[Some(0.1), Some(0.2), None, Some(0.2), Some(0.4), None, Some(0.7)]).await;
    let arrived = AtomicU64::new(100);
    let arrive = async || {
        let id = Uuid::from_u128(arrived.fetch_add(1, Ordering::Relaxed).into());
        run(&bench.store, id, user(7), 1, Some(5.0)).await;
        bench.catch_up().await;
    };
    let newest_first = follow_cursors(&bench, BacktestSort::CreatedAt, true, &arrive).await;
    assert_eq!(newest_first, [7, 6, 5, 4, 3, 2, 1]);
    let best_first = follow_cursors(&bench, BacktestSort::Metric(sharpe()), true, &arrive).await;
    let old: Vec<u128> = best_first.into_iter().filter(|id| *id < 100).collect();
    assert_eq!(old, [7, 5, 4, 2, 1, 6, 3]);
}

#[tokio::test]
async fn trades_and_ledger_are_read_on_by_cursor() {
    let bench = Bench::new().await;
    let id = Uuid::from_u128(1);
    run(&bench.store, id, user(7), 5, None).await;
    bench.catch_up().await;
    let row = bench.reads.backtest(BacktestId::new(id)).await.unwrap().unwrap();
    let (mut cursor, mut sequences) = (None, Vec::new());
    loop {
        let request = PageRequest::Cursor { cursor, limit: 4 };
        let page = bench.reads.ledger(&row, &request).await.unwrap();
        sequences.extend(page.rows.iter().map(|entry| entry.sequence));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(sequences, (1..=10).collect::<Vec<u32>>());
    let request = PageRequest::Cursor { cursor: None, limit: 1 };
    let trades = bench.reads.trades(&row, TradeFilter::default(), &request).await.unwrap();
    let request = PageRequest::Cursor { cursor: trades.next_cursor, limit: 4 };
    let refused = bench.reads.ledger(&row, &request).await.unwrap_err();
    assert!(matches!(refused, QueryError::BadCursor));
}

#[tokio::test]
async fn trades_of_several_runs_come_in_one_statement_with_a_limit_for_each() {
    let bench = Bench::new().await;
    run(&bench.store, Uuid::from_u128(1), user(7), 5, None).await;
    let position = run(&bench.store, Uuid::from_u128(2), user(7), 2, None).await;
    bench.catch_up().await;
    let ids = [1, 2, 3].map(|id| BacktestId::new(Uuid::from_u128(id)));
    let trades = bench.reads.trades_of_backtests(&ids, position, 1, 3).await.unwrap();
    let found: Vec<_> =
        trades.iter().map(|trade| (trade.backtest_id.uuid().as_u128(), trade.number)).collect();
    assert_eq!(found, [(1, 2), (1, 3), (1, 4), (2, 2)]);
    assert_eq!(bench.reads.backtests_by_ids(&ids).await.unwrap().len(), 2);
}

#[tokio::test]
async fn strategies_are_listed_by_scope_activity_and_search() {
    let bench = Bench::new().await;
    for (number, owner) in [(1, 7), (2, 7), (3, 8), (4, 8)] {
        let mut event = created(user(owner), &format!("Plan-{number}"));
        if let domain::strategy::StrategyEvent::StrategyCreated { is_public, is_active, .. } =
            &mut event
        {
            *is_public = number == 3;
            *is_active = number != 2;
        }
        append(&bench.store, "strategy", Uuid::from_u128(number), 0, &[event]).await;
    }
    bench.catch_up().await;
    let ids = async |scope, is_active, search: Option<&str>, sort, descending| {
        let filter = StrategyFilter { scope, is_active, search: search.map(str::to_owned) };
        let page = PageRequest::Number { page: 1, limit: 50 };
        let page = bench.reads.list_strategies(&filter, sort, descending, &page).await.unwrap();
        page.rows.iter().map(|row| row.id.uuid().as_u128()).collect::<Vec<_>>()
    };
    use StrategyScope::{All, Mine, Public};
    use StrategySort::{CreatedAt, Name};
    assert_eq!(ids(Mine(user(7)), None, None, CreatedAt, true).await, [2, 1]);
    assert_eq!(ids(Public, None, None, CreatedAt, true).await, [3]);
    assert_eq!(ids(All(user(7)), None, None, Name, false).await, [1, 2, 3]);
    assert_eq!(ids(Mine(user(7)), Some(true), None, Name, false).await, [1]);
    assert_eq!(ids(All(user(7)), None, Some("about plan-3"), Name, false).await, [3]);
    assert_eq!(ids(All(user(7)), None, Some("100%"), Name, false).await, Vec::<u128>::new());
}
