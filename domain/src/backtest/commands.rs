//! What can be asked of a backtest.

use rust_decimal::Decimal;

use super::events::Request;
use crate::{
    dataset::Dataset,
    decimals::Decimals,
    job::Claim,
    simulation::{UnfilledOrder, Warning, metrics::Metrics},
};

/// A request that may be rejected; repeating one that is done makes no event.
#[derive(Debug, Clone, PartialEq)]
pub enum BacktestCommand {
    Request(Box<Request>),
    /// An executor takes the run. A later attempt supersedes an earlier one; the same attempt may be
    /// taken by another executor after a graceful release, which does not count.
    Claim(Claim),
    /// The first start pins the dataset; a later attempt starts with the same one.
    Start {
        claim: Claim,
        dataset: Dataset,
        decimals: Decimals,
        engine_version: String,
    },
    Complete {
        claim: Claim,
        completion: Box<Completion>,
    },
    /// Ends the run, as cancelled if a cancellation was requested. Without a claim, the holder of the lease ends it.
    Fail {
        claim: Option<Claim>,
        code: String,
        message: String,
    },
    /// Pending: cancelled at once; running: asked for.
    Cancel,
    /// The executor stopped a run whose cancellation was asked for. No claim: as with `Fail`.
    ConfirmCancellation {
        claim: Option<Claim>,
    },
    Delete,
}

/// The result of a run, as the executor reports it.
#[derive(Debug, Clone, PartialEq)]
pub struct Completion {
    pub metrics: Box<Metrics>,
    pub final_balance: Decimal,
    /// If the stop-loss always came first where that is not known.
    pub final_balance_stop_first: Decimal,
    /// If the target always came first where that is not known.
    pub final_balance_target_first: Decimal,
    pub trades_count: u32,
    pub ambiguous_trades_count: u32,
    pub ledger_hash: String,
    pub result_hash: String,
    pub warnings: Vec<Warning>,
    /// The first ones.
    pub rejections: Vec<UnfilledOrder>,
    pub rejections_count: u32,
    /// The first ones.
    pub expiries: Vec<UnfilledOrder>,
    pub expiries_count: u32,
}
