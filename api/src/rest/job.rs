//! What the resources of jobs share: the strategy and status that lists filter by, the run, its progress, refused bodies.

use std::collections::BTreeMap;

use commands::CommandError;
use domain::{error_code::ErrorCode, fields::FieldError, job::Status};
use infra::postgres::jobs::JobKind;
use poem_openapi::Object;
use projections::run_columns::RunColumns;
use serde::Serialize;
use uuid::Uuid;

use crate::{
    context::Context,
    http::{
        error::ApiError,
        fields::{Field, Fields, Kind, field},
        values::{DecimalText, time_text},
    },
};

pub(crate) const STRATEGY_ID: Field = field(
    "strategy_id",
    Kind::Text,
    "The id of a strategy, the slug of one of your own, or the slug of a built-in.",
);
pub(crate) const STATUS: Field = field(
    "status",
    Kind::AnyOf(&["pending", "running", "completed", "failed", "cancelled"]),
    "Filters by status; several are separated by commas (`completed,failed`).",
);

/// Reads the field [`STATUS`].
pub(crate) fn read_statuses(fields: &mut Fields<'_>) -> Vec<Status> {
    fields.any_of(STATUS.name, &Status::ALL, Status::as_str)
}

/// What a run is pinned to, with both names of each field that has two.
#[derive(Debug, Serialize, Object)]
pub(crate) struct RunResource {
    strategy_id: String,
    strategy_version: u32,
    strategy_name: String,
    symbol: String,
    /// The market's base asset.
    asset_symbol: String,
    timeframe: String,
    interval: String,
    start_time: String,
    end_time: String,
    start_date: String,
    end_date: String,
    initial_balance: DecimalText,
    initial_capital: DecimalText,
}

impl From<&RunColumns> for RunResource {
    fn from(run: &RunColumns) -> Self {
        Self {
            strategy_id: run.strategy_id.to_string(),
            strategy_version: run.strategy_version,
            strategy_name: run.strategy_name.clone(),
            symbol: run.symbol.to_string(),
            asset_symbol: run.asset_symbol.clone(),
            timeframe: run.timeframe.to_string(),
            interval: run.timeframe.to_string(),
            start_time: time_text(run.start_time),
            end_time: time_text(run.end_time),
            start_date: time_text(run.start_time),
            end_date: time_text(run.end_time),
            initial_balance: run.initial_balance.into(),
            initial_capital: run.initial_balance.into(),
        }
    }
}

/// Refuses a body with every error at once: those noted while it was read, and those that the command's check finds in other
/// fields.
pub(crate) fn refused<T>(noted: Vec<FieldError>, checked: Result<T, CommandError>) -> ApiError {
    let found = match checked {
        Ok(_) => Vec::new(),
        Err(CommandError::Invalid(found)) => found,
        Err(other) => return other.into(),
    };
    let is_new = |error: &FieldError| !noted.iter().any(|one| one.field == error.field);
    let found: Vec<_> = found.into_iter().filter(is_new).collect();
    ApiError::invalid([noted, found].concat())
}

/// An unknown strategy is 404 if nothing else is wrong.
pub(crate) fn refusal(error: CommandError) -> ApiError {
    let CommandError::Invalid(found) = error else { return error.into() };
    match found.as_slice() {
        [only] if only.field == STRATEGY_ID.name && only.code == ErrorCode::NotFound => {
            ApiError::missing(found)
        }
        _ => found.into(),
    }
}

/// Returns the progress of each job in percent: 100 if completed, otherwise below that, as its executor last reported; `None` if
/// it is not running or has not reported yet.
///
/// # Errors
/// The database.
pub(crate) async fn progress(
    api: &Context,
    kind: &JobKind,
    jobs: &[(Uuid, Status)],
) -> Result<Vec<Option<u8>>, ApiError> {
    let running = jobs.iter().filter(|(_, status)| *status == Status::Running);
    let running: Vec<_> = running.map(|(id, _)| *id).collect();
    let known = match running.as_slice() {
        [] => BTreeMap::new(),
        running => api.jobs.progress(kind, running).await?,
    };
    let percent = |(id, status): &(Uuid, Status)| match status {
        Status::Completed => Some(100),
        Status::Running => known.get(id).map(|percent| *percent.min(&99)),
        Status::Pending | Status::Failed | Status::Cancelled => None,
    };
    Ok(jobs.iter().map(percent).collect())
}

/// Returns an entity tag that changes with everything that is shown: the aggregate's sequence and, until the job has ended, its
/// progress.
pub(crate) fn etag(status: Status, sequence: i64, percent: u8) -> String {
    if status.is_final() { sequence.to_string() } else { format!("{sequence}-{percent}") }
}
