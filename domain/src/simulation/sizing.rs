//! How much an entry buys or sells, and why it may be nothing.

use rust_decimal::Decimal;

use super::{
    SimulationError,
    costs::{Costs, overflow},
    exact,
    rules::Sizing,
    trade::Direction,
};

/// What sizing goes by: the price after slippage and spread, and what is there to spend.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offer {
    pub(crate) direction: Direction,
    /// Before slippage and spread.
    pub(crate) price: f64,
    /// After them, as it is booked.
    pub(crate) booked_price: Decimal,
    /// Where the stop-loss will be, if there is one.
    pub(crate) stop_loss: Option<f64>,
    /// Cash while flat.
    pub(crate) cash: Decimal,
    /// Quantities are floored to multiples of it.
    pub(crate) lot: Decimal,
}

impl Offer {
    /// A quantity above 0 that can be paid for by our own rules, or why there is none.
    pub(crate) fn quantity(
        &self,
        sizing: Sizing,
        costs: &Costs,
    ) -> Result<Result<Decimal, String>, SimulationError> {
        let wanted = self.wanted(sizing, costs).ok_or_else(|| overflow("a quantity"))?;
        let Some(quantity) = self.floor(wanted) else { return Err(overflow("a quantity")) };
        let cost = self.cost(quantity, costs)?;
        let is_all_spent = match sizing {
            Sizing::AllIn | Sizing::PercentOfEquity(_) | Sizing::FixedAmount(_) => true,
            Sizing::FixedQuantity(_) | Sizing::RiskPercentage(_) => false,
        };
        if cost > self.cash && is_all_spent && quantity > self.lot {
            // Roundings of notional and fee can cost more than what the quotient left over.
            let less = quantity - self.lot;
            let cost = self.cost(less, costs)?;
            if cost <= self.cash {
                return Ok(self.checked(less, cost));
            }
        }
        Ok(self.checked(quantity, cost))
    }

    fn wanted(&self, sizing: Sizing, costs: &Costs) -> Option<Decimal> {
        let budget = match sizing {
            Sizing::AllIn => self.cash,
            Sizing::PercentOfEquity(fraction) => {
                self.cash.checked_mul(exact::decimal(fraction)?)?
            }
            Sizing::FixedAmount(amount) => exact::decimal(amount)?,
            Sizing::FixedQuantity(quantity) => return exact::decimal(quantity),
            Sizing::RiskPercentage(fraction) => {
                let stop = exact::round_f64(self.stop_loss?)?;
                let risked = self.cash.checked_mul(exact::decimal(fraction)?)?;
                let distance = (self.booked_price - stop).abs();
                // A distance that rounds to nothing asks for more than there is of anything.
                return if distance.is_zero() { None } else { risked.checked_div(distance) };
            }
        };
        let unit_cost = self.booked_price.checked_mul(Decimal::ONE + costs.commission)?;
        budget.checked_sub(costs.commission_fixed)?.checked_div(unit_cost)
    }

    fn floor(&self, quantity: Decimal) -> Option<Decimal> {
        let lots = quantity.checked_div(self.lot)?.floor();
        lots.max(Decimal::ZERO).checked_mul(self.lot).map(|quantity| quantity.normalize())
    }

    fn cost(&self, quantity: Decimal, costs: &Costs) -> Result<Decimal, SimulationError> {
        let notional = exact::multiply(self.booked_price, quantity);
        let notional = notional.ok_or_else(|| overflow("a fill's notional"))?;
        notional.checked_add(costs.fee(notional)?).ok_or_else(|| overflow("a fill's cost"))
    }

    fn checked(&self, quantity: Decimal, cost: Decimal) -> Result<Decimal, String> {
        if quantity <= Decimal::ZERO {
            return Err(self.too_little());
        }
        if cost > self.cash {
            return Err(format!(
                "{quantity} at {} costs {} with its fee, and there is {}",
                self.booked_price,
                cost.normalize(),
                self.cash
            ));
        }
        Ok(quantity.normalize())
    }

    /// That there is not enough for one lot.
    pub(crate) fn too_little(&self) -> String {
        format!("{} does not pay for one lot of {} at {}", self.cash, self.lot, self.booked_price)
    }
}
