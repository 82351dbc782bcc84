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
        let Some(mut quantity) = self.floor(wanted) else { return Err(overflow("a quantity")) };
        let mut cost = self.cost(quantity, costs)?;
        let is_rounded_up = match sizing {
            Sizing::AllIn | Sizing::PercentOfEquity(_) | Sizing::FixedAmount(_) => true,
            Sizing::FixedQuantity(_) | Sizing::RiskPercentage(_) => false,
        };
        if cost > self.cash && is_rounded_up && quantity > self.lot {
            quantity -= self.lot;
            cost = self.cost(quantity, costs)?;
        }
        Ok(self.checked(quantity, cost))
    }

    /// The quantity as backtesting.py 0.6.6 finds it in `_process_orders`, its quirks included.
    pub(crate) fn quantity_of_backtesting_py(
        &self,
        sizing: Sizing,
        costs: &Costs,
    ) -> Result<Result<Decimal, String>, SimulationError> {
        let fraction = match sizing {
            Sizing::AllIn => LARGEST_FRACTION,
            Sizing::PercentOfEquity(fraction) => fraction.min(LARGEST_FRACTION),
            Sizing::FixedQuantity(_) | Sizing::FixedAmount(_) | Sizing::RiskPercentage(_) => {
                return self.quantity(sizing, costs);
            }
        };
        let (lot, cash) = (exact::to_f64(self.lot), exact::to_f64(self.cash).max(0.0));
        let (rate, fixed) =
            (exact::to_f64(costs.commission), exact::to_f64(costs.commission_fixed));
        // It simulates in whole lots: prices are those of one lot, and a fixed fee counts once a lot.
        let fee = fixed + fraction * (self.price * lot) * rate;
        let unit_cost = costs.entry_price(self.price * lot, self.direction) + fee / fraction;
        let lots = floor_divide(cash * fraction, unit_cost);
        let quantity = exact::round_f64(lots)
            .and_then(|lots| exact::multiply(lots, self.lot))
            .ok_or_else(|| overflow("a quantity"))?;
        if quantity <= Decimal::ZERO {
            return Ok(Err(self.too_little()));
        }
        Ok(Ok(quantity))
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

    fn too_little(&self) -> String {
        format!("{} does not pay for one lot of {} at {}", self.cash, self.lot, self.booked_price)
    }
}

/// Its default size, `1 - sys.float_info.epsilon`.
const LARGEST_FRACTION: f64 = 1.0 - f64::EPSILON;

/// Python's `//` on floats: `(a - fmod(a, b)) / b`, then to the nearest whole number at or below.
fn floor_divide(a: f64, b: f64) -> f64 {
    let quotient = (a - a % b) / b;
    let floor = quotient.floor();
    if quotient - floor > 0.5 { floor + 1.0 } else { floor }
}
