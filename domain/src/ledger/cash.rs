//! How a fill changes cash, to the last digit.

use rust_decimal::Decimal;

use crate::simulation::{
    exact,
    trade::{Fill, Side},
};

/// The cash change of a fill, its fee included: `∓ round_half_even(price × quantity, 8) − fee`.
/// None beyond the exact range.
pub(super) fn change(fill: &Fill) -> Option<Decimal> {
    let notional = exact::multiply(fill.price, fill.quantity)?;
    let paid = match fill.side {
        Side::Buy => -notional,
        Side::Sell => notional,
    };
    paid.checked_sub(fill.fee)
}

/// Cash after an entry that met `cash`.
pub(super) fn after_entry(cash: Decimal, fill: &Fill) -> Option<Decimal> {
    cash.checked_add(change(fill)?)
}

/// Cash after an exit that met `cash` and settled `funding`, and the shortfall: what cash cannot pay when nothing is held
/// any more, and cash is nothing then.
pub(super) fn after_exit(
    cash: Decimal,
    fill: &Fill,
    funding: Decimal,
    is_last: bool,
) -> Option<(Decimal, Decimal)> {
    let after = after_entry(cash, fill)?.checked_add(funding)?;
    let shortfall = if is_last { (-after).max(Decimal::ZERO) } else { Decimal::ZERO };
    Some((after + shortfall, shortfall))
}
