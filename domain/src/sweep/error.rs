//! Why a sweep refuses a command.

use crate::backtest::Status;

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SweepError {
    #[error("the sweep exists already")]
    AlreadyExists,
    #[error("there is no such sweep")]
    NotFound,
    /// A finished sweep cannot be cancelled.
    #[error("the sweep is {} and cannot be cancelled", .0.as_str())]
    NotCancellable(Status),
    /// Cancelled, deleted, done or taken by a later attempt: the executor gives it up.
    #[error("the sweep takes no more work: {0}")]
    NotRunnable(String),
    /// A later attempt brought other candles than those that the first start pinned.
    #[error("the sweep is pinned to the dataset {pinned}, not {given}")]
    OtherDataset {
        /// SHA-256 of the pinned dataset.
        pinned: String,
        /// SHA-256 of the one that was brought.
        given: String,
    },
}
