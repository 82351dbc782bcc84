//! How attempts end: with a finished job, or with the failure that decides what becomes of the job's row.

use domain::dataset::Dataset;
use infra::postgres::DatabaseError;

use crate::{error::CommandError, prepared_run::RunError, sweep_run::SweepRunError};

/// Why work on a job has to stop before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum StopReason {
    /// The job was cancelled, deleted or taken by another executor: the log says which.
    LogChanged = 1,
    /// Another executor may have the job.
    LeaseLost = 2,
    /// The lease may have run out, because the database was away for longer.
    DatabaseAway = 3,
    /// This process ends.
    Stopping = 4,
    /// Another executor, a cancellation or a deletion came before the claim.
    ClaimConflict = 5,
}

impl StopReason {
    pub(super) fn from_u8(reason: u8) -> Option<Self> {
        use StopReason::{ClaimConflict, DatabaseAway, LeaseLost, LogChanged, Stopping};
        let all = [LogChanged, LeaseLost, DatabaseAway, Stopping, ClaimConflict];
        all.into_iter().find(|known| *known as u8 == reason)
    }
}

/// Why work on a job ended without a result.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("the work was stopped: {0:?}")]
    Stopped(StopReason),
    /// The job itself cannot succeed.
    #[error("{code}: {message}")]
    Rejected { code: &'static str, message: String },
    /// It may succeed another time; the attempt counts, unless the database was away.
    #[error(transparent)]
    Error(#[from] CommandError),
}

impl Failure {
    /// Fails if an attempt found other candles than those that the first one pinned.
    pub(super) fn unless_same(pinned: Option<&Dataset>, found: &Dataset) -> Result<(), Self> {
        match pinned {
            Some(pinned) if pinned != found => Err(Self::Rejected {
                code: "other_dataset",
                message: format!(
                    "the candles of revision {} are not those of the first attempt: {} where {} was pinned",
                    pinned.revision, found.sha256, pinned.sha256
                ),
            }),
            Some(_) | None => Ok(()),
        }
    }

    /// The failure of a computation: rejected for a reason that has a code, else stopped.
    fn of_computation(code: Option<&'static str>, message: String) -> Self {
        match code {
            None => Self::Stopped(StopReason::LogChanged),
            Some(code) => Self::Rejected { code, message },
        }
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        Self::of_computation(error.code(), error.to_string())
    }
}

impl From<SweepRunError> for Failure {
    fn from(error: SweepRunError) -> Self {
        Self::of_computation(error.code(), error.to_string())
    }
}

impl From<DatabaseError> for Failure {
    fn from(error: DatabaseError) -> Self {
        Self::Error(error.into())
    }
}

/// How a job is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finished {
    Completed,
    Failed,
    Cancelled,
    /// It was over already.
    Before,
}

/// What an attempt comes to for the job's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AttemptOutcome {
    /// The row goes.
    Finished(Finished),
    /// Any executor may take the job; the attempt does not count.
    Released,
    /// The database was away: released as soon as it is back.
    Outage,
    /// This binary is too old for the job: released after a pause, for a newer one; the attempt does not count.
    Ahead,
    /// The row is another executor's, or will be when its lease runs out.
    Lost,
    /// Any executor may take the job after a pause; the attempt counts.
    Retried,
}

impl AttemptOutcome {
    pub(super) fn of(done: &Result<Finished, Failure>) -> Self {
        match done {
            Ok(finished) => Self::Finished(*finished),
            Err(Failure::Stopped(StopReason::Stopping | StopReason::ClaimConflict)) => {
                Self::Released
            }
            Err(Failure::Stopped(StopReason::DatabaseAway)) => Self::Outage,
            Err(Failure::Error(CommandError::Database(DatabaseError::Ahead(_)))) => Self::Ahead,
            Err(Failure::Error(CommandError::Database(error))) if error.is_unavailable() => {
                Self::Outage
            }
            Err(Failure::Stopped(StopReason::LogChanged | StopReason::LeaseLost)) => Self::Lost,
            Err(Failure::Rejected { .. } | Failure::Error(_)) => Self::Retried,
        }
    }

    /// Its name in metrics.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Finished(Finished::Completed) => "completed",
            Self::Finished(Finished::Failed) => "failed",
            Self::Finished(Finished::Cancelled) => "cancelled",
            Self::Finished(Finished::Before) => "over",
            Self::Released => "given_back",
            Self::Outage => "outage",
            Self::Ahead => "ahead",
            Self::Lost => "lost",
            Self::Retried => "error",
        }
    }
}
