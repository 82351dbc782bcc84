//! Warns about results that depend on one trade: the best one, or one still open at the end.

use rust_decimal::Decimal;

use super::Review;
use crate::simulation::{Warning, exact::to_f64};

/// `one_trade`: of two closed trades or more that made a profit together, the best made more than half of it. Ours: the
/// result of such a run is the story of one trade.
pub(super) fn one_trade(review: &Review<'_>) -> Option<Warning> {
    let (trades_count, total) = (review.tally.closed_count, review.tally.pnl.value()?);
    let (number, best) = review.tally.best?;
    let is_carried = trades_count > 1 && total > Decimal::ZERO && best > total - best;
    is_carried.then(|| {
        let percent = to_f64(best) / to_f64(total) * 100.0;
        let message = format!(
            "trade {number} made {percent:.1} % of the profit of all {trades_count} trades; the others together {}",
            (total - best).normalize()
        );
        Warning::new("one_trade", message)
    })
}

/// `open_trade`: what was still open at the end (closed by `end_of_data`, or left open and marked at the last close)
/// makes more than half of the total pnl, up or down. Ours: its exit is the range's end, not a rule's.
pub(super) fn open_trade(review: &Review<'_>) -> Option<Warning> {
    let number = review.tally.last_open?;
    let whole = review.metrics.total_pnl;
    let others = review.tally.ended_pnl.value()?;
    let pnl = whole.checked_sub(others)?;
    let is_decisive = pnl.abs() > whole.abs().checked_sub(pnl.abs())?;
    is_decisive.then(|| {
        let (pnl, whole) = (pnl.normalize(), whole.normalize());
        let message = format!(
            "trade {number} was still open at the end and makes {pnl} of the total pnl of {whole}"
        );
        Warning::new("open_trade", message)
    })
}
