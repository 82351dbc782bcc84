//! Given events of every kind, the rows of every read model.

use domain::{
    backtest::BacktestEvent,
    ids::{BacktestId, StrategyId},
    job::Status,
    ledger::{ClosedTrade, LedgerEvent},
    market::{Candle, Timeframe},
    number::Number,
    simulation::{Candles, Direction, Fill, Side},
    strategy::StrategyEvent,
};
use infra::postgres::market_data::CandleStore;
use projections::{
    equity::EquityDay,
    page::{PageRequest, Total},
    trades::{TradeFilter, TradeResult},
};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::{Bench, history::*};

const ALL: PageRequest = PageRequest::Number { page: 1, limit: 200 };

#[tokio::test]
async fn a_strategy_is_shown_as_its_events_left_it_with_all_its_versions() {
    let bench = Bench::new().await;
    let id = Uuid::from_u128(1);
    let revised = StrategyEvent::StrategyRevised { version: 2, content: content("renamed") };
    let events = [
        created(user(7), "golden"),
        revised,
        StrategyEvent::StrategyPublished {},
        StrategyEvent::StrategyDeactivated {},
    ];
    let position = append(&bench.store, "strategy", id, 0, &events).await;
    bench.catch_up().await;

    let row = bench.reads.strategy(StrategyId::new(id)).await.unwrap().unwrap();
    assert_eq!(
        (row.owner_id, row.slug.as_str(), row.name.as_str()),
        (user(7), "golden", "renamed")
    );
    assert_eq!(row.definition, content("renamed").definition);
    assert_eq!(row.default_symbol, content("renamed").default_symbol);
    assert_eq!((row.version, row.sequence, row.position), (2, 4, position));
    assert!(row.is_public && !row.is_active);
    assert_eq!(bench.reads.strategy_by_slug(user(7), "golden").await.unwrap(), Some(row));
    assert_eq!(bench.reads.strategy_by_slug(user(8), "golden").await.unwrap(), None);

    let versions = bench.reads.strategy_versions(StrategyId::new(id), None, &ALL).await.unwrap();
    let names: Vec<_> = versions.rows.iter().map(|row| (row.version, row.name.as_str())).collect();
    assert_eq!(names, [(2, "renamed"), (1, "golden")]);
    let first = bench.reads.strategy_version(StrategyId::new(id), 1).await.unwrap().unwrap();
    assert_eq!(first.definition, content("golden").definition);
}

#[tokio::test]
async fn a_deleted_strategy_leaves_nothing_and_frees_its_slug() {
    let bench = Bench::new().await;
    let (old, new) = (Uuid::from_u128(1), Uuid::from_u128(2));
    append(&bench.store, "strategy", old, 0, &[created(user(7), "golden")]).await;
    bench.catch_up().await;
    append(&bench.store, "strategy", old, 1, &[StrategyEvent::StrategyDeleted {}]).await;
    append(&bench.store, "strategy", new, 0, &[created(user(7), "golden")]).await;
    bench.catch_up().await;

    assert_eq!(bench.reads.strategy(StrategyId::new(old)).await.unwrap(), None);
    let versions = bench.reads.strategy_versions(StrategyId::new(old), None, &ALL).await.unwrap();
    assert_eq!(versions.rows, []);
    let found = bench.reads.strategy_by_slug(user(7), "golden").await.unwrap().unwrap();
    assert_eq!(found.id, StrategyId::new(new));
}

#[tokio::test]
async fn a_completed_run_shows_metrics_ledger_trades_and_equity() {
    let bench = Bench::new().await;
    let id = Uuid::from_u128(11);
    let position = run(&bench.store, id, user(7), 7, Some(1.25)).await;
    bench.catch_up().await;

    let row = bench.reads.backtest(BacktestId::new(id)).await.unwrap().unwrap();
    let BacktestEvent::BacktestCompleted { metrics, final_balance, warnings, .. } =
        completed(7, Some(1.25))
    else {
        unreachable!()
    };
    assert_eq!(row.metrics, Some(*metrics));
    assert_eq!((row.status, row.attempt, row.sequence), (Status::Completed, 1, 4));
    assert_eq!((row.final_balance, &row.warnings), (Some(final_balance), &warnings));
    assert_eq!((row.trades_count, row.ledger_entries_count, row.position), (7, 14, position));
    assert_eq!((row.run.asset_symbol.as_str(), row.run.owner_id), ("BTC", user(7)));
    assert!(row.dataset.is_some() && row.started_at.is_some() && row.completed_at.is_some());

    let ledger = bench.reads.ledger(&row, &ALL).await.unwrap();
    assert_eq!((ledger.total, ledger.rows.len()), (Some(Total::exact(14)), 14));
    let sequences: Vec<u32> = ledger.rows.iter().map(|entry| entry.sequence).collect();
    assert_eq!(sequences, (1..=14).collect::<Vec<u32>>());
    assert_eq!((ledger.rows[0].side, ledger.rows[0].profit), (Side::Buy, None));
    assert_eq!((ledger.rows[3].side, ledger.rows[3].profit), (Side::Sell, Some(Decimal::from(-2))));
    assert_eq!(ledger.rows[0].price, Decimal::new(4_234_567, 2));

    let trades = bench.reads.trades(&row, TradeFilter::default(), &ALL).await.unwrap();
    assert_eq!((trades.total, trades.rows.len()), (Some(Total::exact(7)), 7));
    let first = &trades.rows[0];
    assert_eq!((first.pnl, first.fees), (Some(Decimal::ONE), Decimal::new(2, 1)));
    let nothing = Some(Decimal::ZERO);
    assert_eq!(
        (first.shortfall, ledger.rows[0].shortfall, ledger.rows[1].shortfall),
        (nothing, None, nothing)
    );
    assert_eq!(
        (first.candles_count, first.max_adverse, first.max_favorable),
        (Some(1), Some(0.25), Some(0.5))
    );
    assert_eq!((first.stop_price, first.target_price), (Some(Decimal::from(40_000)), None));
    // 100 × 1 ÷ (42345.67 × 0.00023614), both rounded half-even to 8 decimals, by Python's decimal.
    let percentage = first.pnl_percentage.unwrap();
    assert_eq!(percentage.to_string(), "10.00049351");

    let curve = bench.equity(&row).await;
    let equity: Vec<f64> = curve.iter().map(|day| day.equity).collect();
    assert_eq!(equity, [10_000.0, 10_000.5, 10_001.0]);
}

#[tokio::test]
async fn trades_are_filtered_by_side_and_result() {
    let bench = Bench::new().await;
    let id = Uuid::from_u128(11);
    run(&bench.store, id, user(7), 7, None).await;
    bench.catch_up().await;
    let row = bench.reads.backtest(BacktestId::new(id)).await.unwrap().unwrap();
    let numbers = async |direction, result| {
        let filter = TradeFilter { direction, result };
        let page = bench.reads.trades(&row, filter, &ALL).await.unwrap();
        assert_eq!(page.total, Some(Total::exact(i64::try_from(page.rows.len()).unwrap())));
        page.rows.iter().map(|trade| trade.number).collect::<Vec<u32>>()
    };
    assert_eq!(numbers(Some(Direction::Short), None).await, [3, 6]);
    assert_eq!(numbers(None, Some(TradeResult::Win)).await, [1, 3, 5, 7]);
    assert_eq!(numbers(Some(Direction::Long), Some(TradeResult::Loss)).await, [2, 4]);
}

#[tokio::test]
async fn an_open_trade_has_no_exit_until_a_later_batch_closes_it() {
    let bench = Bench::new().await;
    let id = Uuid::from_u128(11);
    let begin = [requested(user(7), Uuid::from_u128(1), "BTCUSDT"), claimed(1), started()];
    append(&bench.store, "backtest", id, 0, &begin).await;
    append(&bench.store, "ledger", id, 0, &[ledger_opened(id), trade_opened(id, 1)]).await;
    bench.catch_up().await;
    let row = bench.reads.backtest(BacktestId::new(id)).await.unwrap().unwrap();
    let open = bench.reads.trades(&row, TradeFilter::default(), &ALL).await.unwrap().rows;
    assert_eq!((open[0].exit_time, open[0].pnl, open[0].fees), (None, None, Decimal::new(1, 1)));
    assert_eq!((row.status, row.trades_count, row.ledger_entries_count), (Status::Running, 1, 1));

    append(&bench.store, "ledger", id, 2, &[trade_closed(id, 1)]).await;
    bench.catch_up().await;
    let row = bench.reads.backtest(BacktestId::new(id)).await.unwrap().unwrap();
    let closed = bench.reads.trades(&row, TradeFilter::default(), &ALL).await.unwrap().rows;
    assert_eq!(closed.len(), 1);
    assert_eq!((closed[0].pnl, closed[0].fees), (Some(Decimal::ONE), Decimal::new(2, 1)));
    assert_eq!(closed[0].created_at, open[0].created_at);
}

#[tokio::test]
async fn a_restarted_ledger_begins_anew() {
    let bench = Bench::new().await;
    let id = Uuid::from_u128(11);
    let begin = [requested(user(7), Uuid::from_u128(1), "BTCUSDT"), claimed(1), started()];
    append(&bench.store, "backtest", id, 0, &begin).await;
    let mut entries = vec![ledger_opened(id)];
    entries.extend(round_trips(id, 1..=3));
    entries.push(equity_recorded(3));
    append(&bench.store, "ledger", id, 0, &entries).await;
    bench.catch_up().await;
    let mut again = vec![
        trade_opened(id, 4),
        LedgerEvent::LedgerRestarted { engine_version: "2".to_owned() },
        ledger_opened(id),
    ];
    again.extend(round_trips(id, 1..=2));
    again.push(equity_recorded(2));
    append(&bench.store, "ledger", id, 8, &again).await;
    bench.catch_up().await;

    let row = bench.reads.backtest(BacktestId::new(id)).await.unwrap().unwrap();
    assert_eq!((row.trades_count, row.ledger_entries_count), (2, 4));
    assert_eq!(bench.reads.ledger(&row, &ALL).await.unwrap().rows.len(), 4);
    let trades = bench.reads.trades(&row, TradeFilter::default(), &ALL).await.unwrap();
    assert_eq!(trades.rows.len(), 2);
    assert_eq!(bench.equity(&row).await.len(), 2);
}

#[tokio::test]
async fn a_run_shows_how_it_ended_otherwise() {
    let bench = Bench::new().await;
    let (failed, cancelled) = (Uuid::from_u128(11), Uuid::from_u128(12));
    let strategy = Uuid::from_u128(1);
    let failure = BacktestEvent::BacktestFailed {
        code: "attempts_exhausted".to_owned(),
        message: "three attempts".to_owned(),
    };
    let events = [requested(user(7), strategy, "GOOG"), claimed(1), claimed(2), failure];
    append(&bench.store, "backtest", failed, 0, &events).await;
    let events = [
        requested(user(7), strategy, "GOOG"),
        claimed(1),
        started(),
        BacktestEvent::BacktestCancellationRequested {},
        BacktestEvent::BacktestCancelled {},
    ];
    append(&bench.store, "backtest", cancelled, 0, &events).await;
    bench.catch_up().await;

    let row = bench.reads.backtest(BacktestId::new(failed)).await.unwrap().unwrap();
    assert_eq!((row.status, row.attempt), (Status::Failed, 2));
    assert_eq!(row.error_code.as_deref(), Some("attempts_exhausted"));
    assert_eq!((row.error_message.as_deref(), row.metrics), (Some("three attempts"), None));
    let row = bench.reads.backtest(BacktestId::new(cancelled)).await.unwrap().unwrap();
    assert_eq!((row.status, row.error_code), (Status::Cancelled, None));
    assert!(row.cancellation_requested_at.is_some() && row.completed_at.is_some());
}

/// The equity of a run of seven trades, held in turn every second day, over so many days of candles at 42,000.
async fn equity_over(days: i64) -> Vec<EquityDay> {
    let bench = Bench::new().await;
    let candle = |day: i64| Candle {
        open_time: START_MS + day * DAY_MS,
        open: 42_345.67,
        high: 42_345.67,
        low: 42_000.0,
        close: 42_000.0,
        volume: 1.0,
    };
    let candles: Candles = (0..days).map(candle).collect();
    let store = CandleStore::new(bench.database.database.clone());
    let symbol = "BTCUSDT".parse().unwrap();
    store.import(&symbol, Timeframe::OneDay, &candles, None, |_| {}).await.unwrap();
    let id = Uuid::from_u128(11);
    run(&bench.store, id, user(7), 7, None).await;
    bench.catch_up().await;
    let row = bench.reads.backtest(BacktestId::new(id)).await.unwrap().unwrap();
    bench.equity(&row).await
}

#[tokio::test]
async fn equity_is_read_although_this_version_refuses_the_strategy_or_cannot_mark_the_ledger() {
    let curve = equity_over(101).await;
    // 0.00023614 units from the second day to the third; the strategy has a period of 200.5.
    let exposures = [0.0, 0.000_236_14 * 42_000.0 / 10_000.5, 0.0];
    for (day, expected) in curve.iter().zip(exposures) {
        assert!((day.exposure.unwrap() - expected).abs() < 1e-15, "{day:?}");
        assert_eq!(day.buy_and_hold, None);
    }
    // Fills lie after the last candle.
    let curve = equity_over(10).await;
    assert!(curve.iter().all(|day| day.exposure.is_none()));
    assert_eq!(curve.iter().map(|day| day.equity).sum::<f64>(), 30_001.5);
}

#[tokio::test]
async fn a_deleted_run_leaves_no_row_anywhere() {
    let bench = Bench::new().await;
    let id = Uuid::from_u128(11);
    run(&bench.store, id, user(7), 5, None).await;
    bench.catch_up().await;
    append(&bench.store, "backtest", id, 4, &[BacktestEvent::BacktestDeleted {}]).await;
    bench.catch_up().await;
    for table in ["backtests_v6", "backtests_v6_metrics", "ledger_v3", "trades_v4"] {
        assert_eq!(bench.rows(table).await, Vec::<String>::new(), "{table}");
    }
}

/// Half of trade 1, closed on its own as trade `number`.
fn reduced(id: Uuid, number: u32) -> LedgerEvent {
    let whole = closed_trade(id, number);
    let half = |fill: &Fill| Fill {
        quantity: fill.quantity / Decimal::TWO,
        fee: fill.fee / Decimal::TWO,
        ..fill.clone()
    };
    LedgerEvent::TradeReduced {
        rest: half(&whole.entry),
        of_number: 1,
        part: ClosedTrade {
            entry: half(&whole.entry),
            fill: half(&whole.fill),
            funding: Decimal::new(-25, 2),
            is_ambiguous: false,
            ..whole
        },
    }
}

#[tokio::test]
async fn overlapping_trades_keep_the_order_of_their_fills_and_a_part_is_a_trade_of_its_own() {
    let bench = Bench::new().await;
    let id = Uuid::from_u128(12);
    let begun = [requested(user(7), Uuid::from_u128(1), "BTCUSDT"), claimed(1), started()];
    append(&bench.store, "backtest", id, 0, &begun).await;
    let open = [ledger_opened(id), trade_opened(id, 1), trade_opened(id, 2)];
    append(&bench.store, "ledger", id, 0, &open).await;
    bench.catch_up().await;
    append(&bench.store, "ledger", id, 3, &[reduced(id, 3), trade_closed(id, 2)]).await;
    bench.catch_up().await;

    let row = bench.reads.backtest(BacktestId::new(id)).await.unwrap().unwrap();
    assert_eq!((row.trades_count, row.ledger_entries_count), (3, 4));
    let ledger = bench.reads.ledger(&row, &ALL).await.unwrap().rows;
    let shown: Vec<_> = ledger.iter().map(|entry| (entry.sequence, entry.profit)).collect();
    let profit = |profit: i64| Some(Decimal::from(profit));
    assert_eq!(shown, [(1, None), (2, None), (3, profit(3)), (4, profit(-2))]);
    assert_eq!(ledger[2].funding, Some(Decimal::new(-25, 2)));
    let trades = bench.reads.trades(&row, TradeFilter::default(), &ALL).await.unwrap().rows;
    let whole = entry_of(&trade_opened(id, 1)).quantity;
    assert_eq!(trades[0].quantity, whole / Decimal::TWO);
    assert_eq!((trades[0].exit_time, trades[0].part_of), (None, None));
    assert_eq!(trades[0].stop_price, Some(Decimal::from(40_000)), "the rest keeps its stop");
    assert_eq!((trades[2].quantity, trades[2].part_of), (whole / Decimal::TWO, Some(1)));
    assert_eq!((trades[2].pnl, trades[2].funding), (profit(3), Some(Decimal::new(-25, 2))));

    let engine_version = "2".to_owned();
    let again =
        [LedgerEvent::LedgerRestarted { engine_version }, ledger_opened(id), trade_opened(id, 1)];
    append(&bench.store, "ledger", id, 5, &again).await;
    bench.catch_up().await;
    let row = bench.reads.backtest(BacktestId::new(id)).await.unwrap().unwrap();
    let ledger = bench.reads.ledger(&row, &ALL).await.unwrap().rows;
    assert_eq!((ledger.len(), ledger[0].sequence), (1, 1));
}

fn entry_of(event: &LedgerEvent) -> Fill {
    let LedgerEvent::TradeOpened { fill, .. } = event else { unreachable!() };
    fill.clone()
}

/// The sparkline and the hash of the inputs of the only completed run.
async fn drawn(bench: &Bench) -> (Vec<f32>, Option<String>) {
    let superuser = bench.database.superuser().await;
    let sql = "SELECT sparkline, inputs_hash FROM read_models.backtests_v6_metrics";
    let row = superuser.query_one(sql, &[]).await.unwrap();
    (row.get(0), row.get(1))
}

#[tokio::test]
async fn a_completed_run_has_sixty_points_of_its_equity_and_the_hash_of_its_inputs() {
    let id = Uuid::from_u128(1);
    let BacktestEvent::BacktestRequested { mut request } = requested(user(7), id, "BTCUSDT") else {
        panic!("another event");
    };
    request.run.parameters = [("short_window", 5), ("long_window", 20)]
        .map(|(name, value)| (name.to_owned(), Number::try_new(f64::from(value)).unwrap()))
        .into();
    request.run.definition.default_parameters = request.run.parameters.clone();
    let begin = [BacktestEvent::BacktestRequested { request }, claimed(1), started()];
    let days = 400;
    let ledger = [ledger_opened(id), equity_recorded(days), ledger_closed(0)];
    let end = [completed(0, None)];
    let mut drawings = Vec::new();
    for is_in_one_batch in [true, false] {
        let bench = Bench::new().await;
        append(&bench.store, "backtest", id, 0, &begin).await;
        for (entry, sequence) in ledger.iter().zip(0..) {
            append(&bench.store, "ledger", id, sequence, std::slice::from_ref(entry)).await;
            if !is_in_one_batch {
                bench.catch_up().await;
            }
        }
        append(&bench.store, "backtest", id, 3, &end).await;
        bench.catch_up().await;
        drawings.push(drawn(&bench).await);
    }
    assert_eq!(drawings[0], drawings[1], "however the events are split");
    let (points, inputs_hash) = drawings.swap_remove(0);
    // Day n ends with 10,000 + n / 2; there are 59 steps from the first day to the last.
    let expected = (0..60).map(|point| 10_000.0 + (f64::from(point) * 399.0 / 59.0).round() / 2.0);
    assert_eq!(points, expected.map(|equity| equity as f32).collect::<Vec<_>>());
    assert_eq!(inputs_hash.map(|hash| hash.len()), Some(64));
}
