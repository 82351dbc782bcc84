//! Warns about trades whose result cannot be told from their candle.

use super::Review;
use crate::simulation::Warning;

/// `ambiguous_fills`: trades that one candle could have ended by stop-loss and by take-profit; any counts.
pub(super) fn ambiguous_fills(review: &Review<'_>) -> Option<Warning> {
    let (ambiguous, trades) = (review.tally.ambiguous_count, review.tally.trades_count);
    (ambiguous > 0).then(|| {
        let message = format!(
            "{ambiguous} of {trades} trades ended on a candle that touched stop-loss and take-profit; `intrabar` decided"
        );
        Warning::new("ambiguous_fills", message)
    })
}
