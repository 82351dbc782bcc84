//! Gaps: candles missing from the series.

use super::{Review, time_text};
use crate::simulation::{
    Warning,
    trading_hours::{Gaps, guess_kind},
};

/// `data_gaps`: candles are missing, in the warm-up or in the range, while the market was open ([`Gaps::find`]). Any gap
/// counts: an indicator walks over it as if no time had passed.
pub(super) fn data_gaps(review: &Review<'_>) -> Option<Warning> {
    let times = &review.input.candles.open_time;
    let timeframe = review.input.timeframe;
    let span = times.last()? - times.first()?;
    // Without a gap there is nothing to look for.
    let steps = i64::try_from(times.len() - 1).ok()?;
    if steps.checked_mul(timeframe.duration_ms()) == Some(span) {
        return None;
    }
    let kind = review.input.market_kind.unwrap_or_else(|| guess_kind(times, timeframe));
    let gaps = Gaps::find(times, timeframe, kind);
    let (from, to) = gaps.longest?;
    let (from, to) = (time_text(from)?, time_text(to)?);
    let what = if gaps.count == 1 { "gap" } else { "gaps" };
    let (count, candles) = (gaps.count, times.len());
    let mut message =
        format!("{count} {what} in {candles} candles; the longest is from {from} to {to}");
    match gaps.possible_holidays {
        0 => {}
        1 => message.push_str("; 1 weekday without candles is a possible holiday"),
        days => {
            message.push_str(&format!("; {days} weekdays without candles are possible holidays"));
        }
    }
    Some(Warning::new("data_gaps", message))
}
