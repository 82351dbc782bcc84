//! What can be asked of a backtest.

use rust_decimal::Decimal;

use super::events::{Dataset, Request};
use crate::simulation::{metrics::Metrics, outcome::Warning};

/// A request that may be rejected; repeating one that is done makes no event.
#[derive(Debug, Clone, PartialEq)]
pub enum BacktestCommand {
    Request(Box<Request>),
    /// An executor takes the run; the attempt is one more than those before (a released one does not count).
    Claim {
        executor: String,
        attempt: u32,
    },
    Start {
        dataset: Dataset,
        engine_version: String,
    },
    Complete(Box<Completion>),
    Fail {
        code: String,
        message: String,
    },
    /// Pending: cancelled at once; running: asked for.
    Cancel,
    /// The executor stopped a run whose cancellation was asked for.
    ConfirmCancellation,
    Delete,
}

/// The result of a run, as the executor reports it.
#[derive(Debug, Clone, PartialEq)]
pub struct Completion {
    pub metrics: Metrics,
    pub final_balance: Decimal,
    pub trades_count: u32,
    pub ambiguous_trades_count: u32,
    pub ledger_hash: String,
    pub result_hash: String,
    pub warnings: Vec<Warning>,
}
