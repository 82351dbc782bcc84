//! Warns if fees use up much of the profit.

use rust_decimal::Decimal;

use super::Review;
use crate::simulation::{Warning, exact::to_f64};

/// `high_costs`: Σ fees ÷ Σ (pnl + fees) of the closed trades > ½, where the divisor, the profit before fees, is above 0.
/// Slippage and spread lie in the prices and are not among the fees.
///
/// That costs decide: B. M. Barber and T. Odean, "Trading is hazardous to your wealth", The Journal of Finance 55
/// (2000). The half is ours.
pub(super) fn high_costs(review: &Review<'_>) -> Option<Warning> {
    let fees = review.tally.fees.value()?;
    let gross = review.tally.pnl.value()?.checked_add(fees)?;
    let is_high = gross > Decimal::ZERO && fees > gross - fees;
    is_high.then(|| {
        let percent = to_f64(fees) / to_f64(gross) * 100.0;
        let (fees, gross) = (fees.normalize(), gross.normalize());
        let message =
            format!("fees of {fees} are {percent:.1} % of the profit before them, {gross}");
        Warning::new("high_costs", message)
    })
}
