//! A row of `sweeps`.

use chrono::{DateTime, Utc};
use domain::{
    dataset::Dataset,
    ids::SweepId,
    job::Status,
    simulation::{
        Warning,
        sweep::{Row as Winner, Spec, WalkForwardResult},
    },
};
use infra::postgres::DatabaseError;
use serde::Serialize;
use tokio_postgres::{Row, types::Json};

use crate::{models::run_columns::RunColumns, sql::row};

/// A sweep as it is now. Deleted ones have no row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SweepRow {
    pub id: SweepId,
    #[serde(flatten)]
    pub run: RunColumns,
    pub spec: Spec,
    pub combinations_count: u32,
    pub status: Status,
    pub cancellation_requested_at: Option<DateTime<Utc>>,
    /// Both none unless it failed.
    pub error_code: Option<String>,
    pub error_message: Option<String>,
    pub dataset: Option<Dataset>,
    pub engine_version: Option<String>,
    /// Of a completed sweep: its rows are stored under it.
    pub result_hash: Option<String>,
    pub rows_count: u32,
    pub failed_rows_count: u32,
    /// The best rows, best first.
    pub winners: Vec<Winner>,
    pub walk_forward: Option<WalkForwardResult>,
    /// About its candles.
    pub warnings: Vec<Warning>,
    pub executor: Option<String>,
    /// 0 before the first start.
    pub attempt: u32,
    pub created_at: DateTime<Utc>,
    pub started_at: Option<DateTime<Utc>>,
    /// When it completed, failed or was cancelled.
    pub completed_at: Option<DateTime<Utc>>,
    pub updated_at: DateTime<Utc>,
    /// Of its last event: the ETag.
    pub sequence: i64,
    /// Of its last event.
    pub position: i64,
}

pub(super) fn read(row: &Row) -> Result<SweepRow, DatabaseError> {
    let Json(spec) = row.try_get("spec")?;
    let Json(winners) = row.try_get("winners")?;
    let dataset: Option<Json<Dataset>> = row.try_get("dataset")?;
    let walk_forward: Option<Json<WalkForwardResult>> = row.try_get("walk_forward")?;
    let Json(warnings) = row.try_get("warnings")?;
    Ok(SweepRow {
        id: SweepId::new(row.try_get("id")?),
        run: RunColumns::read(row)?,
        spec,
        combinations_count: row::count(row, "combinations_count")?,
        status: row::word(row, "status")?,
        cancellation_requested_at: row.try_get("cancellation_requested_at")?,
        error_code: row.try_get("error_code")?,
        error_message: row.try_get("error_message")?,
        dataset: dataset.map(|Json(dataset)| dataset),
        engine_version: row.try_get("engine_version")?,
        result_hash: row.try_get("result_hash")?,
        rows_count: row::count(row, "rows_count")?,
        failed_rows_count: row::count(row, "failed_rows_count")?,
        winners,
        walk_forward: walk_forward.map(|Json(result)| result),
        warnings,
        executor: row.try_get("executor")?,
        attempt: row::count(row, "attempt")?,
        created_at: row.try_get("created_at")?,
        started_at: row.try_get("started_at")?,
        completed_at: row.try_get("completed_at")?,
        updated_at: row.try_get("updated_at")?,
        sequence: row.try_get("sequence")?,
        position: row.try_get("position")?,
    })
}
