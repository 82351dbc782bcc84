//! Sizing as backtesting.py 0.6.6 does it, with its own cash in `f64`: a cent's millionth can move a quantity by a lot.

use rust_decimal::Decimal;

use super::{
    SimulationError,
    costs::{Costs, overflow},
    exact,
    rules::Sizing,
    sizing::Offer,
    trade::Direction,
};

/// Its default size, `1 - sys.float_info.epsilon`.
const LARGEST_FRACTION: f64 = 1.0 - f64::EPSILON;

/// What `_Broker` counts. It simulates in whole lots: prices are those of one lot.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Broker {
    cash: f64,
    lot: f64,
    commission: f64,
    commission_fixed: f64,
    /// In lots, negative for a short.
    size: f64,
    entry_price: f64,
}

impl Broker {
    /// With `cash` and no position.
    pub(crate) fn new(cash: Decimal, lot: Decimal, costs: &Costs) -> Self {
        Self {
            cash: exact::to_f64(cash),
            lot: exact::to_f64(lot),
            commission: exact::to_f64(costs.commission),
            commission_fixed: exact::to_f64(costs.commission_fixed),
            size: 0.0,
            entry_price: 0.0,
        }
    }

    /// The quantity that `_process_orders` finds, its quirks included, or why there is none.
    pub(crate) fn quantity(
        &self,
        offer: &Offer,
        sizing: Sizing,
        costs: &Costs,
    ) -> Result<Result<Decimal, String>, SimulationError> {
        let fraction = match sizing {
            Sizing::AllIn => LARGEST_FRACTION,
            Sizing::PercentOfEquity(fraction) => fraction.min(LARGEST_FRACTION),
            Sizing::FixedQuantity(_) | Sizing::FixedAmount(_) | Sizing::RiskPercentage(_) => {
                return offer.quantity(sizing, costs);
            }
        };
        let price = offer.price * self.lot;
        // The fee of a fractional size: a fixed one counts once a lot.
        let fee = self.fee(fraction, price);
        let unit_cost = costs.entry_price(price, offer.direction) + fee / fraction;
        let lots = floor_divide(self.cash.max(0.0) * fraction, unit_cost);
        let quantity = exact::round_f64(lots)
            .and_then(|lots| exact::multiply(lots, offer.lot))
            .ok_or_else(|| overflow("a quantity"))?;
        Ok(if quantity > Decimal::ZERO { Ok(quantity) } else { Err(offer.too_little()) })
    }

    /// As `_open_trade` with a spread-adjusted price.
    pub(crate) fn open(&mut self, direction: Direction, quantity: Decimal, price: f64) {
        let lots = (exact::to_f64(quantity) / self.lot).round();
        self.size = match direction {
            Direction::Long => lots,
            Direction::Short => -lots,
        };
        self.entry_price = price * self.lot;
        self.cash -= self.fee(self.size, self.entry_price);
    }

    /// As `_close_trade`.
    pub(crate) fn close(&mut self, price: f64) {
        let price = price * self.lot;
        let profit = self.size * (price - self.entry_price);
        self.cash += profit - self.fee(self.size, price);
        self.size = 0.0;
    }

    fn fee(&self, size: f64, price: f64) -> f64 {
        self.commission_fixed + size.abs() * price * self.commission
    }
}

/// Python's `//` on floats: `(a - fmod(a, b)) / b`, then to the nearest whole number at or below.
fn floor_divide(a: f64, b: f64) -> f64 {
    let quotient = (a - a % b) / b;
    let floor = quotient.floor();
    if quotient - floor > 0.5 { floor + 1.0 } else { floor }
}
