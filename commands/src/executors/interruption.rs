//! Why the work on a run stops before its end.

use infra::postgres::DatabaseError;

use crate::CommandError;

/// Why the work on a run stopped before its completion.
#[derive(Debug, thiserror::Error)]
pub(super) enum Interruption {
    /// Signals or the log say why.
    #[error("the run was halted")]
    Halted,
    /// The run itself cannot succeed.
    #[error("{code}: {message}")]
    Failed { code: &'static str, message: String },
    /// It may succeed another time: the lease runs out, and the attempt counts.
    #[error(transparent)]
    Error(#[from] CommandError),
}

impl From<DatabaseError> for Interruption {
    fn from(error: DatabaseError) -> Self {
        Self::Error(error.into())
    }
}
