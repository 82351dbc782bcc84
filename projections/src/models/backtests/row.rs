//! A row of `backtests`.

use chrono::{DateTime, Utc};
use domain::{
    backtest::Origin,
    dataset::Dataset,
    ids::{BacktestId, SweepId},
    job::Status,
    simulation::{
        Warning,
        metrics::{Metrics, recorded_name},
    },
};
use infra::postgres::DatabaseError;
use rust_decimal::Decimal;
use serde::Serialize;
use tokio_postgres::{Row, types::Json};
use uuid::Uuid;

use super::metric::Metric;
use crate::{models::run_columns::RunColumns, sql::row};

/// A backtest as it is now. Deleted ones have no row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BacktestRow {
    pub id: BacktestId,
    #[serde(flatten)]
    pub run: RunColumns,
    pub final_balance: Option<Decimal>,
    pub status: Status,
    pub cancellation_requested_at: Option<DateTime<Utc>>,
    pub origin: Origin,
    /// The row of a sweep that it repeats; both none unless there is one.
    pub sweep_id: Option<SweepId>,
    pub sweep_row: Option<u32>,
    /// Both none unless it failed.
    pub error_code: Option<String>,
    pub error_message: Option<String>,
    pub warnings: Vec<Warning>,
    /// Of what was asked for, hex; none if this version refuses the strategy.
    pub request_hash: Option<String>,
    pub dataset: Option<Dataset>,
    pub engine_version: Option<String>,
    pub ledger_hash: Option<String>,
    pub result_hash: Option<String>,
    pub executor: Option<String>,
    /// 0 before the first claim.
    pub attempt: u32,
    /// None until it completed. Fractions, as in the event.
    #[serde(skip)]
    pub metrics: Option<Metrics>,
    /// The recorded equity, while the rows of a batch are made; none if the batch may not have all of it.
    #[serde(skip)]
    pub(super) equity: Option<Vec<f64>>,
    pub ambiguous_trades_count: u32,
    /// If the stop-loss always came first where that is not known; none until it completed, and of old runs.
    pub final_balance_stop_first: Option<Decimal>,
    /// If the target always came first where that is not known; none until it completed, and of old runs.
    pub final_balance_target_first: Option<Decimal>,
    /// Rows of `trades` so far, an open one included.
    pub trades_count: u32,
    /// Rows of `ledger` so far.
    pub ledger_entries_count: u32,
    pub created_at: DateTime<Utc>,
    pub started_at: Option<DateTime<Utc>>,
    /// When it completed, failed or was cancelled.
    pub completed_at: Option<DateTime<Utc>>,
    pub updated_at: DateTime<Utc>,
    /// Of the backtest's last event: the ETag, with [`Self::position`] while the ledger grows.
    pub sequence: i64,
    /// Of the last event of backtest or ledger.
    pub position: i64,
}

/// The columns that [`read`] takes, of the tables `t` and `m`.
pub(super) fn columns() -> String {
    let metrics = Metric::columns().chain(["drawdown_periods"]);
    let metrics: Vec<_> = metrics.map(|name| format!("m.{name}")).collect();
    format!("t.*, {}", metrics.join(", "))
}

/// The row with its metrics.
pub(super) fn read(row: &Row) -> Result<BacktestRow, DatabaseError> {
    Ok(BacktestRow { metrics: read_metrics(row)?, ..read_state(row)? })
}

/// The row as the table of states has it, without metrics.
pub(super) fn read_state(row: &Row) -> Result<BacktestRow, DatabaseError> {
    let Json(warnings) = row.try_get("warnings")?;
    let dataset: Option<Json<Dataset>> = row.try_get("dataset")?;
    Ok(BacktestRow {
        id: BacktestId::new(row.try_get("id")?),
        run: RunColumns::read(row)?,
        final_balance: row.try_get("final_balance")?,
        status: row::word(row, "status")?,
        cancellation_requested_at: row.try_get("cancellation_requested_at")?,
        origin: row::word(row, "origin")?,
        sweep_id: row.try_get::<_, Option<Uuid>>("sweep_id")?.map(SweepId::new),
        sweep_row: row.try_get::<_, Option<i32>>("sweep_row")?.map(i32::unsigned_abs),
        error_code: row.try_get("error_code")?,
        error_message: row.try_get("error_message")?,
        warnings,
        request_hash: row.try_get("request_hash")?,
        dataset: dataset.map(|Json(dataset)| dataset),
        engine_version: row.try_get("engine_version")?,
        ledger_hash: row.try_get("ledger_hash")?,
        result_hash: row.try_get("result_hash")?,
        executor: row.try_get("executor")?,
        attempt: row::count(row, "attempt")?,
        metrics: None,
        equity: None,
        ambiguous_trades_count: row::count(row, "ambiguous_trades_count")?,
        final_balance_stop_first: row.try_get("final_balance_stop_first")?,
        final_balance_target_first: row.try_get("final_balance_target_first")?,
        trades_count: row::count(row, "trades_count")?,
        ledger_entries_count: row::count(row, "ledger_entries_count")?,
        created_at: row.try_get("created_at")?,
        started_at: row.try_get("started_at")?,
        completed_at: row.try_get("completed_at")?,
        updated_at: row.try_get("updated_at")?,
        sequence: row.try_get("sequence")?,
        position: row.try_get("position")?,
    })
}

fn read_metrics(row: &Row) -> Result<Option<Metrics>, DatabaseError> {
    if row.try_get::<_, Option<i32>>("total_trades")?.is_none() {
        return Ok(None);
    }
    let periods: Option<Json<_>> = row.try_get("drawdown_periods")?;
    let mut metrics = Metrics {
        total_trades: row::count(row, "total_trades")?,
        winning_trades: row::count(row, "winning_trades")?,
        losing_trades: row::count(row, "losing_trades")?,
        total_pnl: row.try_get("total_pnl")?,
        total_fees: row.try_get("total_fees")?,
        drawdown_periods: periods.map(|Json(periods)| periods).unwrap_or_default(),
        ..Metrics::default()
    };
    for name in Metrics::NAMES {
        metrics.set(name, row.try_get(recorded_name(name))?);
    }
    Ok(Some(metrics))
}
