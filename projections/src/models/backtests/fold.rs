//! How events become the rows of backtests.

use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use domain::{
    backtest::{BacktestEvent, Request},
    event::RecordedEvent,
    ids::BacktestId,
    job::Status,
    ledger::LedgerEvent,
};
use futures_util::{FutureExt, future::BoxFuture};
use infra::postgres::DatabaseError;
use tokio_postgres::Row;
use uuid::Uuid;

use super::{
    NAME, TABLE,
    row::{BacktestRow, read},
};
use crate::{
    error::Poison,
    models::{
        backtests::metric::{self, Metric},
        lifecycle_rows::{self, Located},
        run_columns,
    },
    read_model::{Changes, Folded, ReadModel, unexpected},
    sql::bulk::{Columns, definitions},
};

pub(crate) const READ_MODEL: ReadModel = ReadModel {
    name: NAME,
    table: TABLE,
    aggregates: &["backtest", "ledger"],
    first_events_only: false,
    create,
    fold,
};

/// Every column but those of what pins the run and of the metrics.
const COLUMNS: &Columns = &[
    ("id", "uuid PRIMARY KEY"),
    ("final_balance", "numeric"),
    ("status", "text NOT NULL"),
    ("cancellation_requested_at", "timestamptz"),
    ("origin", "text NOT NULL"),
    ("sweep_id", "uuid"),
    ("sweep_row", "integer"),
    ("error_code", "text"),
    ("error_message", "text"),
    ("warnings", "json NOT NULL"),
    ("dataset", "json"),
    ("engine_version", "text"),
    ("ledger_hash", "text"),
    ("result_hash", "text"),
    ("executor", "text"),
    ("attempt", "integer NOT NULL"),
    ("ambiguous_trades_count", "integer NOT NULL"),
    ("final_balance_stop_first", "numeric"),
    ("final_balance_target_first", "numeric"),
    ("trades_count", "integer NOT NULL"),
    ("ledger_entries_count", "integer NOT NULL"),
    ("created_at", "timestamptz NOT NULL"),
    ("started_at", "timestamptz"),
    ("completed_at", "timestamptz"),
    ("updated_at", "timestamptz NOT NULL"),
    ("sequence", "bigint NOT NULL"),
    ("position", "bigint NOT NULL"),
    ("drawdown_periods", "json"),
];

/// Metrics by which lists are sorted from an index; the others are sorted in memory, owner by owner.
const INDEXED_METRICS: [&str; 13] = [
    "sharpe_ratio",
    "sortino_ratio",
    "calmar_ratio",
    "total_return",
    "annual_return",
    "cagr",
    "volatility",
    "max_drawdown_percentage",
    "win_rate",
    "profit_factor",
    "expectancy",
    "total_trades",
    "total_pnl",
];

/// Events of a batch that concern runs.
struct BacktestChanges(Vec<Located<Step>>);

/// What an event means to a run's row.
#[expect(clippy::large_enum_variant, reason = "a batch holds few of them, and not for long")]
enum Step {
    Lifecycle(BacktestEvent),
    TradeOpened,
    TradeClosed,
    /// The entries so far are void.
    LedgerRestarted,
    /// The ledger grew by something that is not counted.
    LedgerGrew,
}

impl Changes for BacktestChanges {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn write<'a>(
        self: Box<Self>,
        transaction: &'a Transaction<'a>,
        table: &'a str,
    ) -> BoxFuture<'a, Result<(), DatabaseError>> {
        async move {
            let own = COLUMNS.iter().chain(run_columns::COLUMNS).map(|(name, _)| *name);
            let columns: Vec<&str> = own.chain(Metric::columns()).collect();
            let read = |row: &Row| read(row).map(|backtest| (backtest.id.uuid(), backtest));
            lifecycle_rows::update(transaction, table, &columns, self.0, read, apply).await
        }
        .boxed()
    }
}

fn create(table: &str) -> String {
    let mut sql = format!(
        "CREATE TABLE read_models.{table} ({}, {}); \
         CREATE INDEX {table}_owner ON read_models.{table} (owner_id, created_at, id); \
         CREATE INDEX {table}_strategy ON read_models.{table} (strategy_id, created_at, id);",
        definitions(&[COLUMNS, run_columns::COLUMNS].concat()),
        metric::column_definitions(),
    );
    for metric in INDEXED_METRICS.into_iter().filter_map(Metric::parse) {
        sql.push_str(&format!(
            "CREATE INDEX {table}_{} ON read_models.{table} \
             (owner_id, {} DESC NULLS LAST, id DESC);",
            metric.name(),
            metric.expression(),
        ));
    }
    sql
}

fn fold(events: &[&RecordedEvent]) -> Folded {
    let located = events.iter().map(|recorded| Located::new(recorded, step(recorded)?));
    Ok(Box::new(BacktestChanges(located.collect::<Result<_, _>>()?)))
}

fn step(recorded: &RecordedEvent) -> Result<Step, Poison> {
    match recorded.aggregate_type.as_str() {
        "backtest" => Ok(Step::Lifecycle(recorded.decode()?)),
        "ledger" if recorded.event_type == LedgerEvent::EQUITY_RECORDED => Ok(Step::LedgerGrew),
        "ledger" => Ok(match recorded.decode()? {
            LedgerEvent::TradeOpened { .. } => Step::TradeOpened,
            LedgerEvent::TradeClosed(_) => Step::TradeClosed,
            // One more trade, and its one fill.
            LedgerEvent::TradeReduced { .. } => Step::TradeOpened,
            LedgerEvent::LedgerRestarted { .. } => Step::LedgerRestarted,
            LedgerEvent::LedgerOpened { .. }
            | LedgerEvent::EquityRecorded(_)
            | LedgerEvent::LedgerClosed { .. } => Step::LedgerGrew,
        }),
        _ => Err(unexpected(recorded)),
    }
}

fn apply(row: &mut Option<BacktestRow>, located: Located<Step>) {
    let Located { id, sequence, position, recorded_at: now, event } = located;
    match event {
        Step::Lifecycle(BacktestEvent::BacktestRequested { request }) => {
            *row = Some(requested(id, *request, sequence, position, now));
        }
        Step::Lifecycle(BacktestEvent::BacktestDeleted {}) => *row = None,
        Step::Lifecycle(event) => change(row, position, now, |backtest| {
            backtest.sequence = sequence;
            backtest.live(event, now);
        }),
        Step::TradeOpened => change(row, position, now, |backtest| {
            backtest.trades_count += 1;
            backtest.ledger_entries_count += 1;
        }),
        Step::TradeClosed => change(row, position, now, |backtest| {
            backtest.ledger_entries_count += 1;
        }),
        Step::LedgerRestarted => change(row, position, now, |backtest| {
            backtest.trades_count = 0;
            backtest.ledger_entries_count = 0;
        }),
        Step::LedgerGrew => change(row, position, now, |_| {}),
    }
}

/// Changes a run's row; only events of deleted runs find none.
fn change(
    row: &mut Option<BacktestRow>,
    position: i64,
    now: DateTime<Utc>,
    change: impl FnOnce(&mut BacktestRow),
) {
    if let Some(backtest) = row {
        backtest.position = position;
        backtest.updated_at = now;
        change(backtest);
    }
}

impl BacktestRow {
    /// Returns the row that a backtest's own events make, without the read model; `None` after its deletion. What the
    /// ledger's events count is zero unless they are among `events`.
    ///
    /// # Errors
    /// An event that cannot be folded.
    pub fn of_events(events: &[RecordedEvent]) -> Result<Option<Self>, Poison> {
        lifecycle_rows::fold_one(events, step, apply)
    }

    fn live(&mut self, event: BacktestEvent, now: DateTime<Utc>) {
        match event {
            BacktestEvent::BacktestRequested { .. } | BacktestEvent::BacktestDeleted {} => {}
            BacktestEvent::BacktestClaimed { executor, attempt } => {
                self.executor = Some(executor);
                self.attempt = attempt;
            }
            BacktestEvent::BacktestStarted { dataset, engine_version, .. } => {
                self.status = Status::Running;
                self.dataset = Some(dataset);
                self.engine_version = Some(engine_version);
                self.started_at = self.started_at.or(Some(now));
            }
            BacktestEvent::BacktestCompleted {
                metrics,
                final_balance,
                final_balance_stop_first,
                final_balance_target_first,
                trades_count: _,
                ambiguous_trades_count,
                ledger_hash,
                result_hash,
                warnings,
                rejections: _,
                rejections_count: _,
                expiries: _,
                expiries_count: _,
            } => {
                self.status = Status::Completed;
                self.metrics = Some(*metrics);
                self.final_balance = Some(final_balance);
                self.final_balance_stop_first = final_balance_stop_first;
                self.final_balance_target_first = final_balance_target_first;
                self.ambiguous_trades_count = ambiguous_trades_count;
                self.ledger_hash = Some(ledger_hash);
                self.result_hash = Some(result_hash);
                self.warnings = warnings;
                self.completed_at = Some(now);
            }
            BacktestEvent::BacktestFailed { code, message } => {
                self.status = Status::Failed;
                self.error_code = Some(code);
                self.error_message = Some(message);
                self.completed_at = Some(now);
            }
            BacktestEvent::BacktestCancellationRequested {} => {
                self.cancellation_requested_at = Some(now);
            }
            BacktestEvent::BacktestCancelled {} => {
                self.status = Status::Cancelled;
                self.completed_at = Some(now);
            }
        }
    }
}

fn requested(
    id: Uuid,
    Request { run, origin, sweep_row }: Request,
    sequence: i64,
    position: i64,
    now: DateTime<Utc>,
) -> BacktestRow {
    BacktestRow {
        id: BacktestId::new(id),
        run: run.into(),
        final_balance: None,
        status: Status::Pending,
        cancellation_requested_at: None,
        origin,
        sweep_id: sweep_row.map(|row| row.sweep_id),
        sweep_row: sweep_row.map(|row| row.number),
        error_code: None,
        error_message: None,
        warnings: Vec::new(),
        dataset: None,
        engine_version: None,
        ledger_hash: None,
        result_hash: None,
        executor: None,
        attempt: 0,
        metrics: None,
        ambiguous_trades_count: 0,
        final_balance_stop_first: None,
        final_balance_target_first: None,
        trades_count: 0,
        ledger_entries_count: 0,
        created_at: now,
        started_at: None,
        completed_at: None,
        updated_at: now,
        sequence,
        position,
    }
}
