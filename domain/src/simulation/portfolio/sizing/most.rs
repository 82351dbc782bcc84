//! The largest quantity that the free margin pays for, where roundings make the quotient of both too dear.

use rust_decimal::Decimal;

use super::Offer;
use crate::simulation::{
    exact::{Fixed, Integer, SCALE, Wide},
    portfolio::costs::Costs,
};

/// The largest quantity in whole lots whose margin and fee, rounded as they are booked, do not exceed the free margin;
/// 0 if there is none, `None` beyond what can be counted.
///
/// With N the notional and k = round(N c + f) its fee, N + L k may be at most B, the free margin times L. A fee of k
/// goes with notionals up to (k ± ½ − f) ÷ c (− for a rebate), and leaves B − L k for them. The two meet at
/// k = (B c + f ∓ ½) ÷ (1 + c L), and the best whole k lies next to it. A rebate makes the fee fall while the notional
/// grows; so a notional that is small enough however its fee is rounded is tried, too.
pub(super) fn most_payable(offer: &Offer, costs: &Costs) -> Option<Decimal> {
    most::<i128>(offer, costs).or_else(|| most::<Wide>(offer, costs))
}

fn most<I: Integer>(offer: &Offer, costs: &Costs) -> Option<Decimal> {
    let half_unit = Fixed::of(Decimal::new(5, SCALE + 1));
    let lot_cost = Fixed::of(offer.booked_price).times(Fixed::of(offer.lot))?;
    let mut most = Decimal::ZERO;
    for notional in notionals::<I>(offer, costs)? {
        let lots = Fixed::new(notional, SCALE).plus(half_unit)?.divide_down(lot_cost, 0)?;
        // A notional just between two units may be rounded up to the next one.
        for lots in [lots, lots.subtract(I::of(1))?] {
            let quantity = offer.of_lots(lots)?;
            if quantity > most && offer.is_payable(quantity, costs)? {
                most = quantity;
            }
        }
    }
    Some(most)
}

/// Notionals in units of 8 decimals; the largest that can be paid for is among them.
fn notionals<I: Integer>(offer: &Offer, costs: &Costs) -> Option<[I; 7]> {
    let rate = costs.rate(offer.liquidity);
    let (leverage, factor) = (Fixed::of(offer.leverage), Fixed::of(costs.levered(offer.liquidity)));
    let (funds, fixed) = (offer.levered_funds::<I>()?, Fixed::of(costs.commission_fixed));
    let half_unit = Fixed::of(Decimal::new(5, SCALE + 1));
    let certain = funds.minus(fixed.plus(half_unit)?.times(leverage)?)?;
    let certain = certain.divide_down(factor, SCALE)?;

    let is_rebate = rate < Decimal::ZERO;
    let signed = |number: Fixed<I>| if is_rebate { number.negated() } else { Some(number) };
    let half_unit = signed(half_unit)?;
    let meeting = funds.times(Fixed::of(rate))?.plus(fixed)?.minus(half_unit)?;
    let meeting = meeting.divide_down(factor, SCALE)?;
    let at_fee = |step: i128| {
        let fee = Fixed::new(meeting.add(I::of(step))?, SCALE);
        let left =
            funds.minus(fee.times(leverage)?)?.divide_down(Fixed::of(Decimal::ONE), SCALE)?;
        if rate.is_zero() {
            return Some(left);
        }
        let up_to = signed(fee.plus(half_unit)?.minus(fixed)?)?;
        Some(left.min(up_to.divide_down(Fixed::of(rate.abs()), SCALE)?))
    };
    let [low, middle, high] = [at_fee(-1)?, at_fee(0)?, at_fee(1)?];
    let less = |notional: I| notional.subtract(I::of(1));
    Some([certain, low, less(low)?, middle, less(middle)?, high, less(high)?])
}
