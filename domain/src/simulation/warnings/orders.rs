//! Warns about orders that were not filled, and about the end of trading.

use super::Review;
use crate::simulation::Warning;

/// `rejected_orders`: entries, and exits of parts, that were not filled; any counts.
pub(super) fn rejected(review: &Review<'_>) -> Option<Warning> {
    let first = review.rejection?;
    let count = review.rejections_count;
    let message = format!("{count} orders were rejected, the first: {}", first.reason);
    Some(Warning::new("rejected_orders", message))
}

/// `liquidated`: equity was not above 0, or not above the maintenance margin, at a close.
pub(super) fn liquidated(review: &Review<'_>) -> Option<Warning> {
    let message = match (review.ruin_shortfall, review.liquidations_count) {
        (Some(shortfall), _) => {
            format!("equity fell to nothing and trading ended; {shortfall} could not be paid")
        }
        (None, 0) => return None,
        (None, count) => format!(
            "equity fell to the maintenance margin {count} times, and all that was held was sold"
        ),
    };
    Some(Warning::new("liquidated", message))
}
