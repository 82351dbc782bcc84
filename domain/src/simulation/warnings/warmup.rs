//! Warm-up: candles missing before the range, and how much of the range it used up.

use super::{Review, count, time_text};
use crate::simulation::{Warning, settings::Warmup};

/// The part of the range that may pass before rules are evaluated. Ours: where a tenth of the range is not traded, a
/// return over the whole range understates what the rules did.
const RANGE_PART_MAX: f64 = 0.1;

/// `short_warmup`: with `warmup: before_start`, fewer candles lie before the range than the indicators need.
pub(super) fn short(review: &Review<'_>) -> Option<Warning> {
    let input = review.input;
    let range_start = input.range_start;
    if input.settings.warmup == Warmup::InRange || review.first_evaluated == range_start {
        return None;
    }
    let time = time_text(input.candles.open_time[review.first_evaluated])?;
    let needed = review.first_defined + 1;
    let message = format!(
        "{range_start} of {needed} candles of warm-up lie before the range; rules are evaluated from {time} on"
    );
    Some(Warning::new("short_warmup", message))
}

/// `long_warmup`: candles of the range before the first evaluated one ÷ candles of the range > 0.1.
pub(super) fn long(review: &Review<'_>) -> Option<Warning> {
    let passed = review.first_evaluated - review.input.range_start;
    let candles = review.input.candles.len() - review.input.range_start;
    let part = count(passed) / count(candles);
    (part > RANGE_PART_MAX).then(|| {
        let percent = part * 100.0;
        let message = format!(
            "{passed} of the range's {candles} candles ({percent:.1} %) pass before rules are evaluated"
        );
        Warning::new("long_warmup", message)
    })
}
