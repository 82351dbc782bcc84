//! How events become the rows of backtests.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use domain::{
    backtest::{BacktestEvent, Origin, Request},
    event::RecordedEvent,
    ids::{BacktestId, StrategyId, UserId},
    job::Status,
    ledger::LedgerEvent,
    market::{Symbol, Timeframe},
    simulation::{hash, metrics::Metrics},
};
use futures_util::{FutureExt, future::BoxFuture};
use infra::postgres::DatabaseError;
use rust_decimal::Decimal;
use serde::Serialize;
use tokio_postgres::Row;
use uuid::Uuid;

use super::{
    INDEXED_METRICS, NAME, TABLE,
    row::{BacktestRow, read_state},
};
use crate::{
    error::Poison,
    models::{
        backtests::metric::{self, Metric},
        lifecycle_rows::{self, Located, Rows},
        run_columns,
    },
    read_model::{Changes, Folded, ReadModel, unexpected},
    recorded_equity,
    sql::bulk::{self, Columns, definitions, packed},
};

pub(crate) const READ_MODEL: ReadModel = ReadModel {
    name: NAME,
    table: TABLE,
    aggregates: &["backtest", "ledger"],
    first_events_only: false,
    create,
    fold,
};

/// Every column of the table of states but those of what pins the run.
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
    ("request_hash", "text"),
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
];

/// Columns that nothing fills yet: with them, and the table of labels, annotations need no new version.
const RESERVED: &Columns = &[("name", "text"), ("note", "text"), ("labels", "text[]")];

/// The columns of the table of metrics before the metrics: what its lists are filtered by.
const METRICS_KEYS: &Columns = &[
    ("id", "uuid PRIMARY KEY"),
    ("owner_id", "uuid NOT NULL"),
    ("strategy_id", "uuid NOT NULL"),
    ("symbol", "text NOT NULL"),
    ("asset_symbol", "text NOT NULL"),
    ("timeframe", "text NOT NULL"),
    ("origin", "text NOT NULL"),
    ("created_at", "timestamptz NOT NULL"),
    ("final_balance", "numeric"),
    ("drawdown_periods", "json"),
    ("inputs_hash", "text"),
    ("sparkline", "real[]"),
];

/// What lists are filtered by, with an index for each: the newest of an owner's runs that have the value.
const FILTERS: [&str; 6] =
    ["strategy_id", "symbol", "asset_symbol", "timeframe", "origin", "status"];

/// A row of the table of metrics, which is written once.
#[derive(Debug, Serialize)]
struct MetricsRow<'a> {
    id: BacktestId,
    owner_id: UserId,
    strategy_id: StrategyId,
    symbol: &'a Symbol,
    asset_symbol: &'a str,
    timeframe: Timeframe,
    origin: Origin,
    created_at: DateTime<Utc>,
    final_balance: Option<Decimal>,
    /// Of everything that the result follows from, hex.
    inputs_hash: Option<String>,
    /// Equity at equal steps from the first recorded day to the last: all days of a run of no more than [`SPARKLINE_MAX`].
    sparkline: Vec<f32>,
    #[serde(flatten)]
    metrics: &'a Metrics,
}

/// Points of a sparkline.
const SPARKLINE_MAX: usize = 60;

/// Events of a batch that concern runs.
struct BacktestChanges(Vec<Located<Step>>);

/// What an event means to a run's row.
enum Step {
    Lifecycle(Arc<BacktestEvent>),
    TradeOpened,
    TradeClosed,
    /// The entries so far are void.
    LedgerRestarted,
    LedgerOpened,
    EquityRecorded(Arc<LedgerEvent>),
    LedgerClosed,
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
            if self.0.is_empty() {
                return Ok(());
            }
            let columns = COLUMNS.iter().chain(run_columns::COLUMNS).map(|(name, _)| *name);
            let columns: Vec<&str> = columns.collect();
            let read = |row: &Row| read_state(row).map(|state| (state.id.uuid(), state));
            let mut rows = lifecycle_rows::load(transaction, table, &self.0, read).await?;
            let mut counts = Counts::default();
            counts.add(&rows, -1);
            for event in self.0 {
                apply(rows.entry(event.id).or_default(), event);
            }
            counts.add(&rows, 1);
            lifecycle_rows::store(transaction, table, &columns, &rows).await?;
            write_metrics(transaction, table, &rows).await?;
            counts.write(transaction, table).await
        }
        .boxed()
    }
}

/// Writes the metrics of those that have just completed, and deletes those of the deleted.
async fn write_metrics(
    transaction: &Transaction<'_>,
    table: &str,
    rows: &Rows<BacktestRow>,
) -> Result<(), DatabaseError> {
    let table = format!("{table}_metrics");
    bulk::delete(transaction, &table, "id", &lifecycle_rows::gone(rows)).await?;
    let mut completed = Vec::new();
    for row in rows.values().flatten() {
        let Some(metrics) = row.metrics.as_ref() else { continue };
        let BacktestRow { id, origin, created_at, final_balance, ref run, .. } = *row;
        let sparkline = match &row.equity {
            Some(equity) if !equity.is_empty() => sparkline(equity),
            Some(_) | None => sparkline(&recorded_equity::in_transaction(transaction, id).await?),
        };
        completed.push(MetricsRow {
            id,
            owner_id: run.owner_id,
            strategy_id: run.strategy_id,
            symbol: &run.symbol,
            asset_symbol: &run.asset_symbol,
            timeframe: run.timeframe,
            origin,
            created_at,
            final_balance,
            inputs_hash: row.inputs_hash(),
            sparkline,
            metrics,
        });
    }
    let columns = METRICS_KEYS.iter().map(|(name, _)| *name).chain(Metric::columns());
    let columns: Vec<&str> = columns.collect();
    bulk::upsert(transaction, &table, "id", &columns, &completed).await
}

fn sparkline(equity: &[f64]) -> Vec<f32> {
    let points = equity.len().min(SPARKLINE_MAX);
    let steps = points.saturating_sub(1).max(1);
    let at = |point: usize| (point * equity.len().saturating_sub(1) + steps / 2) / steps;
    #[expect(clippy::cast_possible_truncation, reason = "for a picture of 60 points")]
    (0..points).map(|point| equity[at(point)] as f32).collect()
}

/// By how much the numbers of an owner's runs of a status change.
#[derive(Default)]
struct Counts(BTreeMap<(UserId, &'static str), i64>);

impl Counts {
    fn add(&mut self, rows: &Rows<BacktestRow>, one: i64) {
        for row in rows.values().flatten() {
            *self.0.entry((row.run.owner_id, row.status.as_str())).or_default() += one;
        }
    }

    async fn write(self, transaction: &Transaction<'_>, table: &str) -> Result<(), DatabaseError> {
        let changed: Vec<_> = self.0.into_iter().filter(|(_, change)| *change != 0).collect();
        if changed.is_empty() {
            return Ok(());
        }
        let owners: Vec<Uuid> = changed.iter().map(|((owner, _), _)| owner.uuid()).collect();
        let statuses: Vec<&str> = changed.iter().map(|((_, status), _)| *status).collect();
        let changes: Vec<i64> = changed.iter().map(|(_, change)| *change).collect();
        let sql = format!(
            "INSERT INTO read_models.{table}_counts AS own (owner_id, status, count) \
             SELECT * FROM unnest($1::uuid[], $2::text[], $3::bigint[]) \
             ON CONFLICT (owner_id, status) DO UPDATE SET count = own.count + excluded.count"
        );
        let statement = transaction.prepare_cached(&sql).await?;
        transaction.execute(&statement, &[&owners, &statuses, &changes]).await?;
        Ok(())
    }
}

fn create(table: &str) -> String {
    let mut sql = format!(
        "CREATE TABLE read_models.{table} ({}) WITH (fillfactor = 80); \
         CREATE TABLE read_models.{table}_metrics ({}); \
         CREATE TABLE read_models.{table}_labels (owner_id uuid, label text, created_at timestamptz, id uuid, \
             PRIMARY KEY (owner_id, label, created_at, id)); \
         CREATE INDEX {table}_labels_id ON read_models.{table}_labels (id); \
         CREATE TABLE read_models.{table}_counts \
             (owner_id uuid, status text, count bigint NOT NULL, PRIMARY KEY (owner_id, status)) \
             WITH (fillfactor = 50); \
         CREATE INDEX {table}_created_at ON read_models.{table} (owner_id, created_at, id); \
         CREATE INDEX {table}_completed_at ON read_models.{table} \
             (owner_id, completed_at DESC NULLS LAST, id DESC); \
         CREATE INDEX {table}_name ON read_models.{table} (owner_id, name, id) WHERE name IS NOT NULL; \
         CREATE INDEX {table}_open ON read_models.{table} (owner_id, id) WHERE status <> 'completed';",
        definitions(&packed(&[COLUMNS, run_columns::COLUMNS, RESERVED].concat())),
        definitions(&packed(&[METRICS_KEYS, &metric::columns()].concat())),
    );
    for column in FILTERS {
        sql.push_str(&format!(
            "CREATE INDEX {table}_{column} ON read_models.{table} (owner_id, {column}, created_at, id);"
        ));
    }
    let metrics = format!("{table}_metrics");
    sql.push_str(&format!(
        "CREATE INDEX {metrics}_created_at ON read_models.{metrics} (owner_id, created_at, id); \
         CREATE INDEX {metrics}_inputs_hash ON read_models.{metrics} (owner_id, inputs_hash);"
    ));
    for column in FILTERS.into_iter().filter(|column| *column != "status") {
        sql.push_str(&format!(
            "CREATE INDEX {metrics}_{column} ON read_models.{metrics} (owner_id, {column});"
        ));
    }
    for metric in INDEXED_METRICS.into_iter().filter_map(Metric::parse) {
        sql.push_str(&format!(
            "CREATE INDEX {metrics}_{} ON read_models.{metrics} \
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
        "backtest" => Ok(Step::Lifecycle(recorded.decode_shared()?)),
        "ledger" => {
            let ledger: Arc<LedgerEvent> = recorded.decode_shared()?;
            Ok(match &*ledger {
                LedgerEvent::TradeOpened { .. } => Step::TradeOpened,
                LedgerEvent::TradeClosed(_) => Step::TradeClosed,
                // One more trade, and its one fill.
                LedgerEvent::TradeReduced { .. } => Step::TradeOpened,
                LedgerEvent::LedgerRestarted { .. } => Step::LedgerRestarted,
                LedgerEvent::LedgerOpened { .. } => Step::LedgerOpened,
                LedgerEvent::EquityRecorded(_) => Step::EquityRecorded(ledger),
                LedgerEvent::LedgerClosed { .. } => Step::LedgerClosed,
            })
        }
        _ => Err(unexpected(recorded)),
    }
}

fn apply(row: &mut Option<BacktestRow>, located: Located<Step>) {
    let Located { id, sequence, position, recorded_at: now, event } = located;
    match event {
        Step::Lifecycle(event) => match Arc::unwrap_or_clone(event) {
            BacktestEvent::BacktestRequested { request } => {
                *row = Some(requested(id, *request, sequence, position, now));
            }
            BacktestEvent::BacktestDeleted {} => *row = None,
            event @ (BacktestEvent::BacktestClaimed { .. }
            | BacktestEvent::BacktestStarted { .. }
            | BacktestEvent::BacktestCompleted { .. }
            | BacktestEvent::BacktestFailed { .. }
            | BacktestEvent::BacktestCancellationRequested {}
            | BacktestEvent::BacktestCancelled {}) => change(row, position, now, |backtest| {
                backtest.sequence = sequence;
                backtest.live(event, now);
            }),
        },
        Step::TradeOpened => change(row, position, now, |backtest| {
            backtest.trades_count += 1;
            backtest.ledger_entries_count += 1;
            backtest.equity = Some(Vec::new());
        }),
        Step::TradeClosed => change(row, position, now, |backtest| {
            backtest.ledger_entries_count += 1;
            backtest.equity = Some(Vec::new());
        }),
        Step::LedgerRestarted => change(row, position, now, |backtest| {
            backtest.trades_count = 0;
            backtest.ledger_entries_count = 0;
            backtest.equity = Some(Vec::new());
        }),
        // Equity comes after everything else: it is whole if something else comes before it in the batch.
        Step::LedgerOpened => change(row, position, now, |backtest| {
            backtest.equity = Some(Vec::new());
        }),
        Step::EquityRecorded(ledger) => change(row, position, now, |backtest| {
            if let (Some(equity), LedgerEvent::EquityRecorded(days)) =
                (&mut backtest.equity, &*ledger)
            {
                equity.extend(days.days().map(|(_, equity)| equity));
            }
        }),
        Step::LedgerClosed => change(row, position, now, |_| {}),
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

    /// None if this version refuses the strategy, or before the candles are pinned.
    fn inputs_hash(&self) -> Option<String> {
        let request = self.request_hash.as_ref()?.parse().ok()?;
        let (dataset, engine) = (self.dataset.as_ref()?, self.engine_version.as_ref()?);
        Some(hash::inputs_hash(request, &dataset.revisions(), engine).to_string())
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
    let strategy = run.definition.bind(&run.parameters).ok();
    let request_hash = strategy.and_then(|strategy| hash::request_hash(&run, &strategy).ok());
    BacktestRow {
        id: BacktestId::new(id),
        request_hash: request_hash.map(|hash| hash.to_string()),
        equity: None,
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
