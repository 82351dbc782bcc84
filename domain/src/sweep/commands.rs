//! What can be asked of a sweep.

use super::events::{SweepCompletion, SweepRequest};
use crate::{dataset::Dataset, job::Claim};

/// A request that may be rejected; repeating one that is done makes no event.
#[derive(Debug, Clone, PartialEq)]
pub enum SweepCommand {
    Request(Box<SweepRequest>),
    /// An executor takes the sweep, on the candles that the first start pins. A later attempt supersedes an earlier one;
    /// the same attempt may be taken by another executor after a graceful release, which does not count.
    Start {
        claim: Claim,
        dataset: Dataset,
        engine_version: String,
    },
    Complete {
        claim: Claim,
        completion: Box<SweepCompletion>,
    },
    /// Ends the sweep, as cancelled if a cancellation was requested. Without a claim, the holder of the lease ends it.
    Fail {
        claim: Option<Claim>,
        code: String,
        message: String,
    },
    /// Pending: cancelled at once; running: asked for.
    Cancel,
    /// The executor stopped a sweep whose cancellation was asked for. No claim: as with `Fail`.
    ConfirmCancellation {
        claim: Option<Claim>,
    },
    Delete,
}
