//! Gaps: candles missing from the series.

use super::{Review, time_text};
use crate::simulation::{
    Warning,
    calendar::{DAY_MS, trades_on_weekends},
};

/// How long a market that rests on weekends may be closed: a weekend with the holidays beside it.
const CLOSURE_MAX_MS: i64 = 5 * DAY_MS;

/// `data_gaps`: two neighbouring candles, those of the warm-up included, open more than a timeframe apart; where the
/// market rests on weekends, more than five days apart (an overnight or weekend closure is no gap). Any gap counts: an
/// indicator walks over it as if no time had passed.
pub(super) fn data_gaps(review: &Review<'_>) -> Option<Warning> {
    let times = &review.input.candles.open_time;
    let step = review.input.timeframe.duration_ms();
    let span = times.last()? - times.first()?;
    // Without a gap there is nothing to look for.
    if i64::try_from(times.len() - 1).is_ok_and(|steps| steps.checked_mul(step) == Some(span)) {
        return None;
    }
    let allowed = if trades_on_weekends(times) { step } else { step.max(CLOSURE_MAX_MS) };
    let gaps = times.windows(2).filter(|pair| pair[1] - pair[0] > allowed);
    let (mut gaps_count, mut longest) = (0, (0, 0));
    for pair in gaps {
        gaps_count += 1;
        if pair[1] - pair[0] > longest.1 - longest.0 {
            longest = (pair[0], pair[1]);
        }
    }
    if gaps_count == 0 {
        return None;
    }
    let (from, to) = (time_text(longest.0)?, time_text(longest.1)?);
    let what = if gaps_count == 1 { "gap" } else { "gaps" };
    let candles = times.len();
    let message =
        format!("{gaps_count} {what} in {candles} candles; the longest is from {from} to {to}");
    Some(Warning::new("data_gaps", message))
}
