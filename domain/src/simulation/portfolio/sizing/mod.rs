//! How much an entry buys or sells, and why it may be nothing.

mod most;

use std::cmp::Ordering;

use rust_decimal::Decimal;

use self::most::most_payable;
use super::{
    Funds,
    costs::{Costs, Liquidity},
};
use crate::simulation::{
    exact::{self, Fixed, Integer, SCALE, Wide},
    rules::Sizing,
};

/// What sizing goes by: the price after slippage and spread, and what is there to spend.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offer {
    /// After slippage and spread, as it is booked.
    pub(crate) booked_price: Decimal,
    /// Where the stop-loss will be, if there is one.
    pub(crate) stop_loss: Option<Decimal>,
    pub(crate) funds: Funds,
    /// 1 if there is no leverage.
    pub(crate) leverage: Decimal,
    /// Quantities are floored to multiples of it.
    pub(crate) lot: Decimal,
    pub(crate) liquidity: Liquidity,
}

/// What is asked for as a quotient, in money and money a unit or in units and 1.
struct Wanted<I> {
    budget: Fixed<I>,
    unit_cost: Fixed<I>,
}

/// Why an offer has no quantity; [`Offer::explain`] says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// There is not enough for one lot.
    TooLittle,
    /// That quantity costs more than there is.
    TooDear(Decimal),
    /// No risk, no size.
    NoRisk,
    /// The rebate is worth more than the margin.
    Rebate,
    Uncountable,
}

impl Offer {
    /// A quantity above 0 that can be paid for, or why there is none.
    pub(crate) fn quantity(&self, sizing: Sizing, costs: &Costs) -> Result<Decimal, Refusal> {
        let quantity = self.wanted_lots(sizing, costs)?;
        if quantity.is_zero() {
            return Err(Refusal::TooLittle);
        }
        match self.is_payable(quantity, costs) {
            Some(true) => Ok(quantity),
            Some(false) if self.is_within_funds(sizing) => {
                // Only roundings of notional and fee make it cost more than the quotient left over.
                let quantity = quantity.min(most_payable(self, costs).unwrap_or_default());
                if quantity.is_zero() { Err(Refusal::TooLittle) } else { Ok(quantity) }
            }
            Some(false) => Err(Refusal::TooDear(quantity)),
            None => Err(Refusal::Uncountable),
        }
    }

    /// A refusal of this offer, for people.
    pub(crate) fn explain(&self, refusal: Refusal, costs: &Costs) -> String {
        match refusal {
            Refusal::TooLittle => self.too_little(),
            Refusal::TooDear(quantity) => self.too_dear(quantity, costs),
            Refusal::NoRisk => {
                let price = self.booked_price;
                format!("the stop rounds onto the price of {price}, so no size follows")
            }
            Refusal::Rebate => {
                "the rebate is worth more than the margin, so no size follows".to_owned()
            }
            Refusal::Uncountable => self.uncountable(),
        }
    }

    /// What the strategy asks for in whole lots, whether it can be paid for or not.
    pub(crate) fn wanted_lots(&self, sizing: Sizing, costs: &Costs) -> Result<Decimal, Refusal> {
        match sizing {
            Sizing::RiskPercentage(_) if self.risk().is_none_or(|risk| risk.is_zero()) => {
                return Err(Refusal::NoRisk);
            }
            Sizing::AllIn | Sizing::PercentOfEquity(_) | Sizing::FixedAmount(_)
                if costs.levered(self.liquidity) <= Decimal::ZERO =>
            {
                return Err(Refusal::Rebate);
            }
            Sizing::AllIn
            | Sizing::PercentOfEquity(_)
            | Sizing::FixedAmount(_)
            | Sizing::FixedQuantity(_)
            | Sizing::RiskPercentage(_) => {}
        }
        let lots = self.plain_lots(sizing, costs);
        let lots = lots.or_else(|| self.lots::<i128>(sizing, costs));
        lots.or_else(|| self.lots::<Wide>(sizing, costs)).ok_or(Refusal::Uncountable)
    }

    /// That quantity, or why it cannot be paid for.
    pub(crate) fn payable(&self, quantity: Decimal, costs: &Costs) -> Result<Decimal, Refusal> {
        match self.is_payable(quantity, costs) {
            Some(true) => Ok(quantity),
            Some(false) => Err(Refusal::TooDear(quantity)),
            None => Err(Refusal::Uncountable),
        }
    }

    /// That there is not enough for one lot.
    pub(crate) fn too_little(&self) -> String {
        let Self { lot, booked_price, .. } = self;
        format!("{} does not pay for one lot of {lot} at {booked_price}", self.free())
    }

    fn risk(&self) -> Option<Decimal> {
        Some((self.booked_price - self.stop_loss?).abs())
    }

    /// The same as [`Self::lots`] where nothing is levered, lots are units of a decimal place and 64 bits are enough.
    fn plain_lots(&self, sizing: Sizing, costs: &Costs) -> Option<Decimal> {
        if self.leverage != Decimal::ONE || self.lot.mantissa() != 1 {
            return None;
        }
        let budget = match sizing {
            Sizing::AllIn => self.free_unlevered()?,
            Sizing::PercentOfEquity(fraction) => exact::product(self.funds.equity, fraction)?,
            Sizing::FixedAmount(amount) => amount,
            Sizing::FixedQuantity(_) | Sizing::RiskPercentage(_) => return None,
        };
        let budget = exact::add(budget, -costs.commission_fixed)?;
        let unit_cost = exact::product(self.booked_price, costs.levered(self.liquidity))?;
        exact::divide_down_small(budget, unit_cost, self.lot.scale())
    }

    /// The free margin without leverage, 0 or more; `None` if a decimal does not hold its digits.
    fn free_unlevered(&self) -> Option<Decimal> {
        let Funds { equity, exposure } = self.funds;
        if exposure.is_zero() {
            return Some(equity);
        }
        exact::add(equity, -exposure).map(|free| free.max(Decimal::ZERO))
    }

    /// What is asked for in whole lots, 0 or more.
    fn lots<I: Integer>(&self, sizing: Sizing, costs: &Costs) -> Option<Decimal> {
        let Wanted { budget, unit_cost } = self.wanted::<I>(sizing, costs)?;
        if !budget.is_positive() {
            return Some(Decimal::ZERO);
        }
        let lots = budget.divide_down(unit_cost.times(Fixed::of(self.lot))?, 0)?;
        self.of_lots(lots)
    }

    /// That many lots; where a decimal does not hold all of the quantity's digits, as many fewer as it takes.
    fn of_lots<I: Integer>(&self, lots: I) -> Option<Decimal> {
        let lot = Fixed::of(self.lot);
        (0..=Decimal::MAX_SCALE).find_map(|digits| {
            let step = I::power_of_ten(digits)?;
            let whole = lots.divide(step)?.0.multiply(step)?;
            Fixed::new(whole, 0).times(lot)?.exact()
        })
    }

    /// What there is to spend, and what a unit costs of that.
    fn wanted<I: Integer>(&self, sizing: Sizing, costs: &Costs) -> Option<Wanted<I>> {
        let leverage = Fixed::of(self.leverage);
        let levered = |budget: Fixed<I>| budget.times(leverage);
        let equity = Fixed::of(self.funds.equity);
        let budget = match sizing {
            Sizing::AllIn => self.levered_funds::<I>()?,
            Sizing::PercentOfEquity(fraction) => levered(equity.times(Fixed::of(fraction))?)?,
            Sizing::FixedAmount(amount) => levered(Fixed::of(amount))?,
            Sizing::FixedQuantity(quantity) => {
                let unit_cost = Fixed::of(Decimal::ONE);
                return Some(Wanted { budget: Fixed::of(quantity), unit_cost });
            }
            Sizing::RiskPercentage(fraction) => {
                let budget = equity.times(Fixed::of(fraction))?;
                return Some(Wanted { budget, unit_cost: Fixed::of(self.risk()?) });
            }
        };
        // Margin and fee come out of the budget, q p / L + q p c + f, times L.
        let budget = budget.minus(levered(Fixed::of(costs.commission_fixed))?)?;
        let factor = Fixed::of(costs.levered(self.liquidity));
        Some(Wanted { budget, unit_cost: Fixed::of(self.booked_price).times(factor)? })
    }

    /// Equity times leverage without what is held: the free margin times leverage, 0 or more.
    fn levered_funds<I: Integer>(&self) -> Option<Fixed<I>> {
        let Funds { equity, exposure } = self.funds;
        let funds =
            Fixed::of(equity).times(Fixed::of(self.leverage))?.minus(Fixed::of(exposure))?;
        Some(if funds.is_positive() { funds } else { Fixed::of(Decimal::ZERO) })
    }

    /// Whether margin and fee, as they are booked, do not exceed the free margin; `None` beyond what can be counted.
    fn is_payable(&self, quantity: Decimal, costs: &Costs) -> Option<bool> {
        let notional = exact::multiply(self.booked_price, quantity)?;
        let fee = costs.fee(notional, self.liquidity).ok()?;
        if self.leverage == Decimal::ONE
            && let (Some(cost), Some(free)) = (exact::add(notional, fee), self.free_unlevered())
        {
            return Some(cost <= free);
        }
        self.covers::<i128>(notional, fee).or_else(|| self.covers::<Wide>(notional, fee))
    }

    fn covers<I: Integer>(&self, notional: Decimal, fee: Decimal) -> Option<bool> {
        let cost = self.levered_cost::<I>(notional, fee)?;
        Some(cost.compare(self.levered_funds()?)? != Ordering::Greater)
    }

    /// Margin and fee times leverage.
    fn levered_cost<I: Integer>(&self, notional: Decimal, fee: Decimal) -> Option<Fixed<I>> {
        Fixed::of(notional).plus(Fixed::of(fee).times(Fixed::of(self.leverage))?)
    }

    /// Whether what is asked for is a budget that does not exceed the free margin.
    fn is_within_funds(&self, sizing: Sizing) -> bool {
        let budget = match sizing {
            Sizing::AllIn => return true,
            Sizing::PercentOfEquity(fraction) => (self.funds.equity, fraction),
            Sizing::FixedAmount(amount) => (amount, Decimal::ONE),
            Sizing::FixedQuantity(_) | Sizing::RiskPercentage(_) => return false,
        };
        let is_within = self.holds::<i128>(budget).or_else(|| self.holds::<Wide>(budget));
        is_within == Some(true)
    }

    fn holds<I: Integer>(&self, (amount, part): (Decimal, Decimal)) -> Option<bool> {
        let budget = Fixed::of(amount).times(Fixed::of(part))?.times(Fixed::of(self.leverage))?;
        Some(budget.compare(self.levered_funds::<I>()?)? != Ordering::Greater)
    }

    /// The free margin as it is told, rounded down.
    fn free(&self) -> Decimal {
        let free = || {
            let leverage = Fixed::of(self.leverage);
            let units = self.levered_funds::<Wide>()?.divide_down(leverage, SCALE)?;
            Fixed::new(units, SCALE).exact()
        };
        free().unwrap_or(self.funds.equity)
    }

    fn too_dear(&self, quantity: Decimal, costs: &Costs) -> String {
        // Rounded up, so that it never looks like what there is.
        let cost = || {
            let notional = exact::multiply(self.booked_price, quantity)?;
            let fee = costs.fee(notional, self.liquidity).ok()?;
            let zero = Fixed::of(Decimal::ZERO);
            let below = zero.minus(self.levered_cost::<Wide>(notional, fee)?)?;
            let units = below.divide_down(Fixed::of(self.leverage), SCALE)?;
            zero.minus(Fixed::new(units, SCALE))?.exact()
        };
        let Some(cost) = cost() else { return self.uncountable() };
        let (price, free) = (self.booked_price, self.free());
        let bound = if self.leverage == Decimal::ONE { "costs" } else { "binds" };
        format!("{quantity} at {price} {bound} {cost} with its fee, and there is {free}")
    }

    fn uncountable(&self) -> String {
        format!("the quantity or its cost at {} is too large to be counted", self.booked_price)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::simulation::Settings;

    proptest! {
        /// While anything is held, too.
        #[test]
        fn what_64_bits_size_is_what_more_bits_do(
            price in 1_i64..10_000_000_000, scale in 0_u32..9, equity in -1_000_000_000_000_i64..1_000_000_000_000,
            exposure in 0_i64..1_000_000_000_000, fraction in 1_i64..1_000, fixed in 0_u32..3, digits in 0_u32..9,
        ) {
            let body = json!({"commission": 0.001, "commission_fixed": fixed});
            let settings = Settings::parse(body.as_object().unwrap()).unwrap();
            let costs = Costs::try_new(&settings).unwrap();
            let funds = Funds { equity: Decimal::new(equity, 8), exposure: Decimal::new(exposure, 8) };
            let offer = Offer {
                booked_price: Decimal::new(price, scale), stop_loss: None, funds, leverage: Decimal::ONE,
                lot: Decimal::new(1, digits), liquidity: Liquidity::Taker,
            };
            let part = Decimal::new(fraction, 3);
            for sizing in [Sizing::AllIn, Sizing::PercentOfEquity(part), Sizing::FixedAmount(part)] {
                let expected = offer.lots::<Wide>(sizing, &costs).unwrap();
                if let Some(found) = offer.plain_lots(sizing, &costs) {
                    prop_assert_eq!(found.serialize(), expected.serialize());
                }
                let notional = exact::multiply(offer.booked_price, expected).unwrap();
                let fee = costs.fee(notional, Liquidity::Taker).unwrap();
                prop_assert_eq!(offer.is_payable(expected, &costs), offer.covers::<Wide>(notional, fee));
            }
        }
    }
}
