//! Why a command was not done.

use domain::{
    access::Forbidden, error_code::ErrorCode, fields::FieldError, job::JobError,
    ledger::LedgerError, strategy::StrategyError,
};
use infra::postgres::DatabaseError;

/// A refusal or a failure; the API maps each to one status.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// 422: everything that is wrong with the input.
    #[error("the request is not valid")]
    Invalid(Vec<FieldError>),
    /// 404.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// 403.
    #[error("this belongs to another user")]
    Forbidden,
    /// 409: still contended after several tries.
    #[error("the {0} was changed at the same time; try again")]
    Conflict(&'static str),
    /// 412.
    #[error("the resource is at sequence {actual}")]
    PreconditionFailed { actual: i64 },
    /// 422 with a specific code (`not_cancellable`).
    #[error("{message}")]
    Rejected { code: ErrorCode, message: String },
    /// 422: the same `Idempotency-Key` with another body.
    #[error("this Idempotency-Key was used with another body")]
    IdempotencyMismatch,
    /// 503 or 500.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// 500.
    #[error("{0}")]
    Internal(String),
}

impl From<Forbidden> for CommandError {
    fn from(_: Forbidden) -> Self {
        Self::Forbidden
    }
}

impl From<StrategyError> for CommandError {
    fn from(error: StrategyError) -> Self {
        match error {
            StrategyError::AlreadyExists => Self::Conflict("strategy"),
            StrategyError::NotFound => Self::NotFound("strategy"),
        }
    }
}

impl From<JobError> for CommandError {
    fn from(error: JobError) -> Self {
        let message = error.to_string();
        match error {
            JobError::AlreadyExists(noun) => Self::Conflict(noun),
            JobError::NotFound(noun) => Self::NotFound(noun),
            JobError::NotCancellable { .. } => {
                Self::Rejected { code: ErrorCode::NotCancellable, message }
            }
            JobError::NotRunnable(..) | JobError::OtherDataset { .. } => Self::Internal(message),
        }
    }
}

impl From<LedgerError> for CommandError {
    fn from(error: LedgerError) -> Self {
        Self::Internal(error.to_string())
    }
}
