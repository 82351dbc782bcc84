//! Runs from request to end: completed, failed, cancelled, deleted.

use std::sync::Arc;

use commands::{BacktestDraft, Execution, PreparedRun};
use domain::{
    backtest::{BacktestEvent, Request},
    event::{Metadata, RecordedEvent},
    ids::BacktestId,
    job::Status,
    ledger::{LedgerEvent, hash::LedgerHasher},
    market::Timeframe,
    run_spec::RunSpec,
    simulation::{Candles, Settings, Trade},
};
use rust_decimal::Decimal;
use serde_json::json;

use super::{
    Desk,
    desk::{backtest, btcusdt, context, draft, minutes, user},
};

fn prepared(run: &RunSpec, series: &Arc<Candles>) -> PreparedRun {
    PreparedRun::try_new(run.clone(), run.settings.lot.unwrap(), series, None).unwrap()
}

/// What the engine itself makes of the same candles.
fn executed(request: &Request, minutes_count: i64) -> Execution {
    let candles = Arc::new(minutes(minutes_count));
    prepared(&request.run, &candles).execute_unrecorded(&mut ()).unwrap()
}

fn closed_trades(entries: &[LedgerEvent]) -> Vec<(u32, Decimal)> {
    let mut trades = Vec::new();
    for entry in entries {
        if let LedgerEvent::TradeClosed(closed) = entry {
            trades.push((closed.number, closed.pnl));
        }
    }
    trades
}

#[tokio::test]
async fn a_requested_run_completes_and_its_ledger_tells_what_the_engine_did() {
    let desk = Desk::with_minutes(2_000).await;
    let owner = user();
    let strategy = desk.strategy(owner).await;
    let executor = desk.executor("one");
    let id = desk.request(owner, strategy).await;
    desk.until_status(id, Status::Completed).await;
    desk.until_dequeued(id).await;
    executor.stop().await;

    let types = desk.types(id).await;
    let expected = ["BacktestRequested", "BacktestClaimed", "BacktestStarted", "BacktestCompleted"];
    assert_eq!(types, expected);
    let entries = desk.entries(id).await;
    let Execution { outcome, ledger_hash: hash, result_hash, .. } =
        executed(&desk.backtest(id).await.request, 2_000);
    let hash = hash.to_string();
    let pnl = |trade: &Trade| (trade.number, trade.pnl.unwrap());
    assert!(outcome.trades.len() > 500, "{} trades", outcome.trades.len());
    assert_eq!(closed_trades(&entries), outcome.trades.iter().map(pnl).collect::<Vec<_>>());

    let mut hasher = LedgerHasher::default();
    entries.iter().for_each(|entry| hasher.add(entry).unwrap());
    assert_eq!(hasher.finish().to_string(), hash);
    let Some(LedgerEvent::LedgerClosed { ledger_hash, final_balance, .. }) = entries.last() else {
        panic!("the ledger is not closed");
    };
    assert_eq!(*ledger_hash, hash);
    assert_eq!(*final_balance, outcome.final_balance.normalize());
    let completed = desk.history(id).await.pop().unwrap();
    let BacktestEvent::BacktestCompleted {
        ledger_hash,
        result_hash: stored,
        metrics,
        trades_count,
        ..
    } = completed.decode().unwrap()
    else {
        panic!("not completed");
    };
    assert_eq!((ledger_hash, stored), (hash, result_hash.to_string()));
    assert_eq!((*metrics, trades_count as usize), (outcome.metrics, outcome.trades.len()));
}

/// Whole streams of a run, in the order of the log.
async fn log(desk: &Desk, id: BacktestId) -> Vec<RecordedEvent> {
    let mut log = [desk.history(id).await, desk.ledger(id).await].concat();
    log.sort_by_key(|event| event.position);
    log
}

#[tokio::test]
async fn a_short_run_is_one_append_from_its_claim_to_its_completion() {
    let desk = Desk::with_minutes(60).await;
    let owner = user();
    let strategy = desk.strategy(owner).await;
    // The candles are in memory from the first run on.
    let warm_up = desk.request(owner, strategy).await;
    let executor = desk.executor("one");
    desk.until_status(warm_up, Status::Completed).await;
    let mut is_one = false;
    // On a busy machine a run may take longer than short ones do.
    for _ in 0..20 {
        let id = desk.request(owner, strategy).await;
        desk.until_status(id, Status::Completed).await;
        let log = log(&desk, id).await;
        let types: Vec<&str> = log.iter().map(|event| event.event_type.as_str()).collect();
        let expected = ["BacktestRequested", "BacktestClaimed", "BacktestStarted", "LedgerOpened"];
        assert_eq!(types[..4], expected);
        assert_eq!(types[types.len() - 2..], ["LedgerClosed", "BacktestCompleted"]);
        let is_at_once = |pair: &[RecordedEvent]| {
            pair[0].position + 1 == pair[1].position && pair[0].recorded_at == pair[1].recorded_at
        };
        is_one = log[1..].windows(2).all(is_at_once);
        if is_one {
            break;
        }
    }
    executor.stop().await;
    assert!(is_one);
}

#[tokio::test]
async fn everything_of_a_run_follows_from_its_request() {
    let desk = Desk::with_minutes(300).await;
    let owner = user();
    let strategy = desk.strategy(owner).await;
    let executor = desk.executor("one");
    let id = desk.request(owner, strategy).await;
    desk.until_status(id, Status::Completed).await;
    executor.stop().await;
    let history = desk.history(id).await;
    let metadata = |json: &str| serde_json::from_str::<Metadata>(json).expect("flat metadata");
    let requested = metadata(&history[0].metadata);
    assert_eq!(requested.actor, format!("user:{owner}"));
    let ledger = desk.ledger(id).await;
    for event in history[1..].iter().chain(&ledger) {
        let metadata = metadata(&event.metadata);
        assert_eq!(metadata.actor, "system:executor");
        assert_eq!(metadata.correlation_id, requested.correlation_id);
        assert_eq!(metadata.causation_id, Some(history[0].event_id.to_string()));
        assert_eq!(
            (metadata.executor.as_deref(), metadata.attempt.as_deref()),
            (Some("one"), Some("1"))
        );
    }
    let last = ledger.last().unwrap();
    assert_eq!(
        last.position + 1,
        history.last().unwrap().position,
        "closed and completed in one append"
    );
}

#[tokio::test]
async fn a_pending_run_is_cancelled_at_once_and_never_claimed() {
    let desk = Desk::with_minutes(300).await;
    let owner = user();
    let strategy = desk.strategy(owner).await;
    let id = desk.request(owner, strategy).await;
    let cancelled = desk.commands.cancel_backtest(&context(owner), id).await.unwrap();
    assert_eq!(cancelled.value, Status::Cancelled);
    let again = desk.commands.cancel_backtest(&context(owner), id).await.unwrap();
    assert_eq!((again.value, again.position), (Status::Cancelled, cancelled.position));
    let executor = desk.executor("one");
    let other = desk.request(owner, strategy).await;
    desk.until_status(other, Status::Completed).await;
    desk.until_dequeued(id).await;
    executor.stop().await;
    assert_eq!(desk.types(id).await, ["BacktestRequested", "BacktestCancelled"]);
}

#[tokio::test]
async fn a_running_run_is_cancelled_within_the_answer() {
    let desk = Desk::with_minutes(60_000).await;
    let owner = user();
    let strategy = desk.strategy(owner).await;
    let executor = desk.executor("one");
    let id = desk.request(owner, strategy).await;
    desk.until_ledger_beyond(id, 0).await;
    let cancelled = desk.commands.cancel_backtest(&context(owner), id).await.unwrap();
    assert_eq!(cancelled.value, Status::Cancelled);
    assert_eq!(desk.backtest(id).await.status, Status::Cancelled);
    desk.until_dequeued(id).await;
    executor.stop().await;
    let types = desk.types(id).await;
    assert_eq!(types[3..], ["BacktestCancellationRequested", "BacktestCancelled"]);
    let entries = desk.entries(id).await;
    assert!(!matches!(entries.last(), Some(LedgerEvent::LedgerClosed { .. })));
}

#[tokio::test]
async fn a_finished_run_cannot_be_cancelled() {
    let desk = Desk::with_minutes(300).await;
    let owner = user();
    let strategy = desk.strategy(owner).await;
    let executor = desk.executor("one");
    let id = desk.request(owner, strategy).await;
    desk.until_status(id, Status::Completed).await;
    let refused = desk.commands.cancel_backtest(&context(owner), id).await.unwrap_err();
    assert!(matches!(
        refused,
        commands::CommandError::Rejected {
            code: domain::error_code::ErrorCode::NotCancellable,
            ..
        }
    ));
    executor.stop().await;
}

#[tokio::test]
async fn deleting_a_running_run_stops_it() {
    let desk = Desk::with_minutes(60_000).await;
    let owner = user();
    let strategy = desk.strategy(owner).await;
    let executor = desk.executor("one");
    let id = desk.request(owner, strategy).await;
    desk.until_ledger_beyond(id, 0).await;
    desk.commands.delete_backtest(&context(owner), id).await.unwrap();
    desk.until_dequeued(id).await;
    executor.stop().await;
    assert_eq!(desk.types(id).await.last().unwrap(), "BacktestDeleted");
    let entries = desk.entries(id).await;
    assert!(!matches!(entries.last(), Some(LedgerEvent::LedgerClosed { .. })));
    let again = desk.commands.delete_backtest(&context(owner), id).await.unwrap_err();
    assert!(matches!(again, commands::CommandError::NotFound("backtest")));
}

/// Entries that rest, overlap and are left in parts, over candles that often touch stop and target.
fn crowded() -> serde_json::Value {
    json!({
        "entry_rules": {"indicator": "close", "comparator": ">", "value": "close[1]"},
        "exit_rules": {"indicator": "close", "comparator": ">", "value": 108},
        "config": {"position_sizing": "fixed_quantity", "size": 1, "max_entries": 3, "entry_order": "limit",
            "entry_offset": 1, "entry_valid_candles": 2, "stop_loss": 5, "take_profit": 4, "trailing_stop": 5,
            "partial_take_profits": [{"at": 2, "close": 50}]},
    })
}

#[tokio::test]
async fn overlapping_trades_are_recorded_and_finer_candles_are_pinned() {
    let desk = Desk::with_minutes(6_000).await;
    let owner = user();
    let context = context(owner);
    let draft = draft("Crowded", &crowded());
    let strategy = desk.commands.create_strategy(&context, draft).await.unwrap().value;
    let metadata = json!({"intrabar": "lower_timeframe", "leverage": 2, "funding_rate": 0.0001});
    let draft = BacktestDraft {
        timeframe: Timeframe::FifteenMinutes,
        settings: Settings::parse(metadata.as_object().unwrap()).unwrap(),
        ..backtest(&strategy.to_string())
    };
    let executor = desk.executor("one");
    let id = desk.commands.request_backtest(&context, &draft).await.unwrap().value;
    desk.until_status(id, Status::Completed).await;
    executor.stop().await;

    let live = desk.backtest(id).await;
    let dataset = live.dataset.unwrap();
    let fine = dataset.fine.unwrap();
    assert_eq!(fine.timeframe, Timeframe::OneMinute);
    let quarters = desk.candles.series(&btcusdt(), Timeframe::FifteenMinutes, None).await.unwrap();
    let minutes = minutes(6_000);
    let run = live.request.run;
    let series = quarters.unwrap().candles;
    let execution = prepared(&run, &series).with_finer(&minutes);
    let execution = execution.execute_unrecorded(&mut ()).unwrap();
    assert_eq!(live.result_hash, Some(execution.result_hash.to_string()));
    let without = prepared(&run, &series).execute_unrecorded(&mut ()).unwrap();
    assert_ne!(without.result_hash, execution.result_hash);
    assert!(without.outcome.ambiguous_trades_count > execution.outcome.ambiguous_trades_count);
    let trades = &execution.outcome.trades;
    assert!(trades.iter().any(|trade| trade.part_of.is_some()) && trades.len() > 50);
    let reduced = |entry: &LedgerEvent| matches!(entry, LedgerEvent::TradeReduced { .. });
    assert!(desk.entries(id).await.iter().any(reduced));
}
