//! Events as the write side makes them.

use chrono::DateTime;
use cqrs_es::DomainEvent;
use domain::{
    backtest::{BacktestEvent, Origin, Request},
    dataset::Dataset,
    event::Metadata,
    ids::{BacktestId, StrategyId, TradeId, UserId},
    ledger::{ClosedTrade, DailyEquity, LedgerEvent},
    market::Timeframe,
    number::Number,
    run_spec::RunSpec,
    simulation::{
        Direction, Fill, Settings, Side, Warning,
        metrics::{DrawdownPeriod, Metrics},
    },
    strategy::{StrategyContent, StrategyDefinition, StrategyEvent},
    sweep::SweepEvent,
};
use infra::postgres::{
    EventStore,
    event_store::{Append, Outcome, Priority, StreamAppend, new_event},
};
use rust_decimal::Decimal;
use uuid::Uuid;

/// 2024-01-01.
pub(super) const START_MS: i64 = 1_704_067_200_000;
pub(super) const DAY_MS: i64 = 86_400_000;

pub(super) fn user(number: u128) -> UserId {
    UserId::new(Uuid::from_u128(number))
}

/// The sample of a sweep's event.
pub(super) fn of_sweep(name: &str) -> SweepEvent {
    let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/../domain/testdata/events/sweep");
    let text = std::fs::read_to_string(format!("{samples}/{name}.1.0.json")).expect("a sample");
    serde_json::from_str(&text).expect("an event")
}

/// Appends to one stream; returns the position of its last event.
pub(super) async fn append<E: DomainEvent>(
    store: &EventStore,
    aggregate_type: &'static str,
    id: Uuid,
    expected_sequence: i64,
    events: &[E],
) -> i64 {
    let events = events.iter().map(|event| new_event(event).expect("JSON")).collect();
    let aggregate_id = id.to_string();
    let appended = store
        .append(Append {
            streams: vec![StreamAppend { aggregate_type, aggregate_id, expected_sequence, events }],
            metadata: Metadata { actor: "system:test".to_owned(), ..Metadata::default() },
            command: None,
            reservations: Vec::new(),
            priority: Priority::Interactive,
        })
        .await
        .expect("an append");
    match appended {
        Outcome::Appended { last_position, .. } => last_position,
        lost @ (Outcome::Duplicate { .. } | Outcome::Conflict | Outcome::Taken { .. }) => {
            panic!("{lost:?}")
        }
    }
}

pub(super) fn content(name: &str) -> StrategyContent {
    let definition: StrategyDefinition = serde_json::from_value(serde_json::json!({
        "code_ref": "golden_cross",
        "default_parameters": {"short_window": 50, "long_window": 200.5},
    }))
    .expect("a definition");
    StrategyContent {
        name: name.to_owned(),
        description: format!("About {name}"),
        definition,
        default_symbol: Some("BTCUSDT".parse().expect("a symbol")),
    }
}

pub(super) fn created(owner_id: UserId, slug: &str) -> StrategyEvent {
    StrategyEvent::StrategyCreated {
        owner_id,
        slug: slug.to_owned(),
        content: content(slug),
        is_active: true,
        is_public: false,
    }
}

pub(super) fn requested(owner_id: UserId, strategy: Uuid, symbol: &str) -> BacktestEvent {
    let time = |ms| DateTime::from_timestamp_millis(ms).expect("a time");
    BacktestEvent::BacktestRequested {
        request: Box::new(Request {
            run: RunSpec {
                owner_id,
                strategy_id: StrategyId::new(strategy),
                strategy_version: 1,
                strategy_name: "Golden Cross".to_owned(),
                definition: content("golden").definition,
                symbol: symbol.parse().expect("a symbol"),
                asset_symbol: symbol.trim_end_matches("USDT").to_owned(),
                timeframe: Timeframe::OneDay,
                start_time: time(START_MS),
                end_time: time(START_MS + 100 * DAY_MS),
                initial_balance: Decimal::new(10_000, 0),
                parameters: content("golden").definition.default_parameters,
                settings: Settings::default(),
            },
            origin: Origin::User,
            sweep_row: None,
        }),
    }
}

pub(super) fn claimed(attempt: u32) -> BacktestEvent {
    BacktestEvent::BacktestClaimed { executor: format!("executor-{attempt}"), attempt }
}

pub(super) fn started() -> BacktestEvent {
    BacktestEvent::BacktestStarted {
        dataset: Dataset {
            revision: 1,
            rows: 101,
            first: DateTime::from_timestamp_millis(START_MS).expect("a time"),
            last: DateTime::from_timestamp_millis(START_MS + 100 * DAY_MS).expect("a time"),
            warmup_rows: 0,
            sha256: "ab".repeat(32),
            fine: None,
        },
        price_decimals: Some(2),
        volume_decimals: Some(8),
        engine_version: "1".to_owned(),
    }
}

pub(super) fn completed(trades_count: u32, sharpe_ratio: Option<f64>) -> BacktestEvent {
    let metrics = Metrics {
        total_trades: trades_count,
        winning_trades: trades_count / 2,
        losing_trades: trades_count / 3,
        total_pnl: Decimal::new(12_345_678_901, 8),
        total_fees: Decimal::new(25, 1),
        sharpe_ratio,
        total_return: Some(0.1 + 0.2),
        drawdown_periods: vec![DrawdownPeriod {
            start: START_MS,
            bottom: START_MS + DAY_MS,
            recovery: None,
            depth: 0.25,
        }],
        ..Metrics::default()
    };
    BacktestEvent::BacktestCompleted {
        metrics: Box::new(metrics),
        final_balance: Decimal::new(10_123_456_789, 6),
        final_balance_stop_first: Some(Decimal::new(10_123_456_789, 6)),
        final_balance_target_first: Some(Decimal::new(10_200, 0)),
        trades_count,
        ambiguous_trades_count: 1,
        ledger_hash: "cd".repeat(32),
        result_hash: "ef".repeat(32),
        warnings: vec![Warning { code: "few_trades".to_owned(), message: "few".to_owned() }],
        rejections: Vec::new(),
        rejections_count: Some(0),
        expiries: Vec::new(),
        expiries_count: Some(0),
    }
}

pub(super) fn ledger_opened(id: Uuid) -> LedgerEvent {
    LedgerEvent::LedgerOpened {
        subject: BacktestId::new(id).into(),
        symbol: "BTCUSDT".parse().expect("a symbol"),
        timeframe: Timeframe::OneDay,
        opening_cash: Decimal::new(10_000, 0),
        opening_position: None,
    }
}

pub(super) fn trade_opened(id: Uuid, number: u32) -> LedgerEvent {
    LedgerEvent::TradeOpened {
        trade_id: TradeId::of(BacktestId::new(id), number),
        number,
        direction: direction(number),
        fill: entry(number),
        stop_price: Some(Decimal::new(40_000, 0)),
        target_price: None,
    }
}

/// Trade `number` wins `number` in quote money when it is odd, and loses as much when it is even.
pub(super) fn trade_closed(id: Uuid, number: u32) -> LedgerEvent {
    LedgerEvent::TradeClosed(closed_trade(id, number))
}

pub(super) fn closed_trade(id: Uuid, number: u32) -> ClosedTrade {
    let sign = if number % 2 == 1 { 1 } else { -1 };
    ClosedTrade {
        trade_id: TradeId::of(BacktestId::new(id), number),
        number,
        direction: direction(number),
        entry: entry(number),
        fill: fill(i64::from(number) * 2, Side::Sell, "sma(50) crosses_below sma(200)"),
        pnl: Decimal::from(sign * i64::from(number)),
        funding: Decimal::ZERO,
        shortfall: Some(Decimal::ZERO),
        is_ambiguous: number.is_multiple_of(5),
        candles_count: Some(number),
        stop_price: Some(Decimal::new(40_000, 0)),
        target_price: None,
        max_adverse: Some(0.25),
        max_favorable: Some(0.5),
    }
}

/// Fills of whole trades, in order.
pub(super) fn round_trips(id: Uuid, numbers: std::ops::RangeInclusive<u32>) -> Vec<LedgerEvent> {
    numbers.flat_map(|number| [trade_opened(id, number), trade_closed(id, number)]).collect()
}

/// Of that many days from 2024-01-01 on.
pub(super) fn equity_recorded(days: u32) -> LedgerEvent {
    let equity = |day: u32| Number::try_new(10_000.0 + f64::from(day) / 2.0).expect("a number");
    LedgerEvent::EquityRecorded(DailyEquity {
        from: DateTime::from_timestamp_millis(START_MS).expect("a time").date_naive(),
        skipped: Vec::new(),
        equity: (0..days).map(equity).collect(),
    })
}

pub(super) fn ledger_closed(trades_count: u32) -> LedgerEvent {
    LedgerEvent::LedgerClosed {
        trades_count,
        fills_count: 2 * trades_count,
        total_fees: Decimal::new(25, 1),
        total_pnl: Decimal::ZERO,
        total_shortfall: Some(Decimal::ZERO),
        final_balance: Decimal::new(10_000, 0),
        ledger_hash: "cd".repeat(32),
    }
}

/// A run of that many trades from request to result; returns the position of its last event.
pub(super) async fn run(
    store: &EventStore,
    id: Uuid,
    owner_id: UserId,
    trades_count: u32,
    sharpe_ratio: Option<f64>,
) -> i64 {
    let strategy = Uuid::from_u128(1);
    let begin = [requested(owner_id, strategy, "BTCUSDT"), claimed(1), started()];
    append(store, "backtest", id, 0, &begin).await;
    let mut entries = vec![ledger_opened(id)];
    entries.extend(round_trips(id, 1..=trades_count));
    entries.push(equity_recorded(3));
    entries.push(ledger_closed(trades_count));
    append(store, "ledger", id, 0, &entries).await;
    append(store, "backtest", id, 3, &[completed(trades_count, sharpe_ratio)]).await
}

fn direction(number: u32) -> Direction {
    if number.is_multiple_of(3) { Direction::Short } else { Direction::Long }
}

fn entry(number: u32) -> Fill {
    fill(i64::from(number) * 2 - 1, Side::Buy, "sma(50) crosses_above sma(200)")
}

fn fill(day: i64, side: Side, reason: &str) -> Fill {
    Fill {
        time: START_MS + day * DAY_MS,
        side,
        price: Decimal::new(4_234_567, 2),
        quantity: Decimal::new(23_614, 8),
        fee: Decimal::new(10, 2).normalize(),
        cash_after: Decimal::new(99_999, 1),
        reason: reason.into(),
    }
}
