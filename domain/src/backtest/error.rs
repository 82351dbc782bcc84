//! Why a backtest refuses a command.

use super::aggregate::Status;

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BacktestError {
    #[error("the backtest exists already")]
    AlreadyExists,
    #[error("there is no such backtest")]
    NotFound,
    /// A finished run cannot be cancelled.
    #[error("the backtest is {} and cannot be cancelled", .0.as_str())]
    NotCancellable(Status),
    /// Cancelled, deleted, done or claimed by a later attempt: the executor gives it up.
    #[error("the backtest takes no more work: {0}")]
    NotRunnable(String),
    /// A later attempt brought other candles than those that the first start pinned.
    #[error("the run is pinned to the dataset {pinned}, not {given}")]
    OtherDataset {
        /// SHA-256 of the pinned dataset.
        pinned: String,
        /// SHA-256 of the one that was brought.
        given: String,
    },
}
