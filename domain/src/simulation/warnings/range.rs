//! Warns if a range is too short for annual figures.

use super::Review;
use crate::simulation::Warning;

/// `range_too_short`: the candles of the range cover less than 7 days. Ours: a tenth earned in twenty hours would be 1e19
/// a year.
pub(super) fn too_short(review: &Review<'_>) -> Option<Warning> {
    /// What a range has to cover, as the metrics see it.
    const MINUTES_MIN: i64 = 7 * 24 * 60;
    let input = review.input;
    let open_time = &input.candles.open_time[input.range_start..];
    let span = open_time.last()? - open_time.first()?;
    let minutes = (span + input.timeframe.duration_ms()) / 60_000;
    if minutes >= MINUTES_MIN {
        return None;
    }
    let covered = match minutes {
        1 => "1 minute".to_owned(),
        0..120 => format!("{minutes} minutes"),
        120..2_880 => format!("{} hours", minutes / 60),
        _ => format!("{} days", minutes / 1_440),
    };
    let message = format!(
        "the range covers {covered}: cagr, annual_return and calmar_ratio are undefined below 7 days"
    );
    Some(Warning::new("range_too_short", message))
}
