//! Warns about results that depend on one trade: the best one, or one still open at the end.

use rust_decimal::Decimal;

use super::Review;
use crate::simulation::{Trade, Warning, exact::to_f64};

/// `one_trade`: of two closed trades or more that made a profit together, the best made more than half of it. Ours: the
/// result of such a run is the story of one trade.
pub(super) fn one_trade(review: &Review<'_>) -> Option<Warning> {
    let closed = || review.trades.iter().filter_map(|trade| Some((trade.number, trade.pnl?)));
    let trades_count = closed().count();
    let total = total(closed().map(|(_, pnl)| pnl))?;
    let (number, best) = closed().max_by_key(|(_, pnl)| *pnl)?;
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
    let (open, ended): (Vec<&Trade>, Vec<&Trade>) =
        review.trades.iter().partition(|trade| match &trade.exit {
            None => true,
            Some(exit) => exit.reason == "end_of_data",
        });
    let number = open.last()?.number;
    let whole = review.metrics.total_pnl;
    let others = total(ended.iter().filter_map(|trade| trade.pnl))?;
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

fn total(mut pnls: impl Iterator<Item = Decimal>) -> Option<Decimal> {
    pnls.try_fold(Decimal::ZERO, Decimal::checked_add)
}
