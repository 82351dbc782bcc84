//! How much an entry buys or sells, and why it may be nothing.

use rust_decimal::Decimal;

use super::{
    Funds,
    costs::{Costs, Liquidity},
};
use crate::simulation::{SimulationError, error::overflow, exact, rules::Sizing};

/// What sizing goes by: the price after slippage and spread, and what is there to spend.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offer {
    /// After slippage and spread, as it is booked.
    pub(crate) booked_price: Decimal,
    /// Where the stop-loss will be, if there is one.
    pub(crate) stop_loss: Option<f64>,
    pub(crate) funds: Funds,
    /// 1 is none.
    pub(crate) leverage: Decimal,
    /// Quantities are floored to multiples of it.
    pub(crate) lot: Decimal,
    pub(crate) liquidity: Liquidity,
}

impl Offer {
    /// A quantity above 0 that can be paid for, or why there is none.
    pub(crate) fn quantity(
        &self,
        sizing: Sizing,
        costs: &Costs,
    ) -> Result<Result<Decimal, String>, SimulationError> {
        let quantity = self.wanted_lots(sizing, costs)?;
        let cost = self.cost(quantity, costs)?;
        let is_all_spent = match sizing {
            Sizing::AllIn | Sizing::PercentOfEquity(_) | Sizing::FixedAmount(_) => true,
            Sizing::FixedQuantity(_) | Sizing::RiskPercentage(_) => false,
        };
        if cost > self.funds.free && is_all_spent && quantity > self.lot {
            // Roundings of notional and fee can cost more than what the quotient left over.
            let less = quantity - self.lot;
            let cost = self.cost(less, costs)?;
            if cost <= self.funds.free {
                return Ok(self.checked(less, cost));
            }
        }
        Ok(self.checked(quantity, cost))
    }

    /// What the strategy asks for in whole lots, whether it can be paid for or not.
    pub(crate) fn wanted_lots(
        &self,
        sizing: Sizing,
        costs: &Costs,
    ) -> Result<Decimal, SimulationError> {
        let wanted = self.wanted(sizing, costs);
        let lots = wanted.and_then(|(budget, unit_cost)| self.lots(budget, unit_cost));
        lots.ok_or_else(|| overflow("a quantity"))
    }

    /// That quantity, or why it cannot be paid for.
    pub(crate) fn payable(
        &self,
        quantity: Decimal,
        costs: &Costs,
    ) -> Result<Result<Decimal, String>, SimulationError> {
        let cost = self.cost(quantity, costs)?;
        Ok(self.checked(quantity, cost))
    }

    /// What there is to spend, and what a unit costs of that.
    fn wanted(&self, sizing: Sizing, costs: &Costs) -> Option<(Decimal, Decimal)> {
        let Funds { equity, free } = self.funds;
        let budget = match sizing {
            Sizing::AllIn => free,
            Sizing::PercentOfEquity(fraction) => equity.checked_mul(exact::decimal(fraction)?)?,
            Sizing::FixedAmount(amount) => exact::decimal(amount)?,
            Sizing::FixedQuantity(quantity) => {
                return Some((exact::decimal(quantity)?, Decimal::ONE));
            }
            Sizing::RiskPercentage(fraction) => {
                let stop = exact::round_f64(self.stop_loss?)?;
                let risked = equity.checked_mul(exact::decimal(fraction)?)?;
                let distance = (self.booked_price - stop).abs();
                // A distance that rounds to nothing asks for more than there is of anything.
                return (!distance.is_zero()).then_some((risked, distance));
            }
        };
        // Margin and fee come out of the budget: q p / L + q p c + f.
        let unit_cost = self.booked_price.checked_mul(costs.levered(self.liquidity))?;
        let budget = exact::add(budget, -costs.commission_fixed)?;
        let budget = if self.is_levered() { budget.checked_mul(self.leverage)? } else { budget };
        Some((budget, unit_cost))
    }

    fn is_levered(&self) -> bool {
        self.leverage != Decimal::ONE
    }

    /// What `budget` buys at `unit_cost`, in whole lots.
    fn lots(&self, budget: Decimal, unit_cost: Decimal) -> Option<Decimal> {
        let budget = budget.max(Decimal::ZERO);
        if self.lot.mantissa() == 1 {
            // Whole lots are whole units of a decimal place.
            return exact::divide_down(budget, unit_cost, self.lot.scale());
        }
        let lots = budget.checked_div(unit_cost)?.checked_div(self.lot)?.floor();
        lots.checked_mul(self.lot).map(exact::normalized)
    }

    /// Margin and fee.
    fn cost(&self, quantity: Decimal, costs: &Costs) -> Result<Decimal, SimulationError> {
        let notional = exact::multiply(self.booked_price, quantity);
        let notional = notional.ok_or_else(|| overflow("a fill's notional"))?;
        let fee = costs.fee(notional, self.liquidity)?;
        let margin =
            if self.is_levered() { notional.checked_div(self.leverage) } else { Some(notional) };
        let cost = margin.and_then(|margin| exact::add(margin, fee));
        cost.ok_or_else(|| overflow("a fill's cost"))
    }

    fn checked(&self, quantity: Decimal, cost: Decimal) -> Result<Decimal, String> {
        if quantity <= Decimal::ZERO {
            return Err(self.too_little());
        }
        if cost > self.funds.free {
            let bound = if self.is_levered() { "binds" } else { "costs" };
            return Err(format!(
                "{quantity} at {} {bound} {} with its fee, and there is {}",
                self.booked_price,
                cost.normalize(),
                self.funds.free
            ));
        }
        Ok(exact::normalized(quantity))
    }

    /// That there is not enough for one lot.
    pub(crate) fn too_little(&self) -> String {
        let Self { funds, lot, booked_price, .. } = self;
        format!("{} does not pay for one lot of {lot} at {booked_price}", funds.free)
    }
}
