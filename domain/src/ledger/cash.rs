//! What a fill does to cash, to the last digit.

use rust_decimal::{Decimal, RoundingStrategy};

use crate::simulation::trade::{Fill, Side};

/// Places after the point of all money.
pub const MONEY_DECIMALS: u32 = 8;

/// The cash change of a fill, its fee included: `∓ round_half_even(price × quantity, 8) − fee`.
/// None beyond the exact range of [`Decimal`].
#[must_use]
pub fn change(fill: &Fill) -> Option<Decimal> {
    let notional = fill
        .price
        .checked_mul(fill.quantity)?
        .round_dp_with_strategy(MONEY_DECIMALS, RoundingStrategy::MidpointNearestEven);
    let paid = match fill.side {
        Side::Buy => -notional,
        Side::Sell => notional,
    };
    paid.checked_sub(fill.fee)
}

/// Cash after a fill that met `cash`. A liquidation that would leave less than nothing leaves nothing:
/// the rest is the shortfall.
#[must_use]
pub fn after(cash: Decimal, fill: &Fill) -> Option<Decimal> {
    let after = cash.checked_add(change(fill)?)?;
    Some(if fill.reason == LIQUIDATION { after.max(Decimal::ZERO) } else { after })
}

/// The reason of a fill that a liquidation forces.
pub const LIQUIDATION: &str = "liquidation";
