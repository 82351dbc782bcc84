//! Warns if a result rests on few trades.

use super::Review;
use crate::simulation::Warning;

/// Where statistics customarily stops speaking of a small sample.
const TRADES_MIN: u32 = 30;

/// `few_trades`: closed trades < 30.
pub(super) fn few_trades(review: &Review<'_>) -> Option<Warning> {
    let trades = review.metrics.total_trades;
    if trades >= TRADES_MIN {
        return None;
    }
    let message = match trades {
        0 => "no trade was closed".to_owned(),
        1 => format!("1 trade: fewer than {TRADES_MIN} say little about those to come"),
        _ => format!("{trades} trades: fewer than {TRADES_MIN} say little about those to come"),
    };
    Some(Warning::new("few_trades", message))
}
