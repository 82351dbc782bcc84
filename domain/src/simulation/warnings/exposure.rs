//! Warns about runs that were hardly in the market.

use super::Review;
use crate::simulation::Warning;

/// The part of the candles with a position below which a return is one of cash. Ours.
const EXPOSURE_MIN: f64 = 0.01;

/// `low_exposure`: the metric `exposure` < 0.01, where there was any trade.
pub(super) fn low_exposure(review: &Review<'_>) -> Option<Warning> {
    let exposure = review.metrics.exposure.filter(|_| review.tally.trades_count > 0)?;
    (exposure < EXPOSURE_MIN).then(|| {
        let percent = exposure * 100.0;
        let message = format!("only {percent:.2} % of the candles were spent in the market");
        Warning::new("low_exposure", message)
    })
}
