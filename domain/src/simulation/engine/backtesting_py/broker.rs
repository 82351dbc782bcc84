//! The cash of backtesting.py 0.6.6 in `f64`, for its sizing: a cent's millionth can move a quantity by a lot.

use rust_decimal::Decimal;

use crate::simulation::{exact, portfolio::costs::Costs, trade::Direction};

/// Its default size, `1 - sys.float_info.epsilon`.
pub(crate) const LARGEST_FRACTION: f64 = 1.0 - f64::EPSILON;

/// The state of `_Broker`. It simulates in whole lots: prices are per lot.
#[derive(Debug)]
pub(crate) struct Broker {
    cash: f64,
    lot: f64,
    leverage: f64,
    commission: f64,
    commission_fixed: f64,
    /// In order of entry.
    trades: Vec<Trade>,
}

#[derive(Debug)]
struct Trade {
    number: u32,
    /// In lots, negative for a short.
    size: f64,
    entry_price: f64,
}

impl Broker {
    /// With `cash` and no position.
    pub(crate) fn new(cash: Decimal, lot: Decimal, leverage: Decimal, costs: &Costs) -> Self {
        Self {
            cash: exact::to_f64(cash),
            lot: exact::to_f64(lot),
            leverage: exact::to_f64(leverage),
            commission: exact::to_f64(costs.commission),
            commission_fixed: exact::to_f64(costs.commission_fixed),
            trades: Vec::new(),
        }
    }

    /// Lots of a trade, negative for a short; 0 when it is not open.
    pub(crate) fn size(&self, number: u32) -> f64 {
        self.find(number).map_or(0.0, |trade| trade.size)
    }

    /// Returns what one lot of an order of `size` lots (or that fraction) costs at `price`. The fee follows from the
    /// order's size: with a fraction, a fixed one counts once a lot.
    pub(crate) fn unit_cost(
        &self,
        costs: &Costs,
        price: f64,
        size: f64,
        direction: Direction,
    ) -> f64 {
        let price = price * self.lot;
        costs.entry_price(price, direction) + self.fee(size, price) / size
    }

    /// The free margin, levered, with what is held valued at `close`.
    pub(crate) fn spendable(&self, close: f64) -> f64 {
        let close = close * self.lot;
        let profit = |trade: &Trade| trade.size * (close - trade.entry_price);
        let equity = self.cash + self.trades.iter().map(profit).sum::<f64>();
        let margin = |trade: &Trade| trade.size.abs() * close / self.leverage;
        let used = self.trades.iter().map(margin).sum::<f64>();
        (equity - used).max(0.0) * self.leverage
    }

    /// A quantity in whole lots.
    pub(crate) fn lots(&self, quantity: Decimal) -> f64 {
        (exact::to_f64(quantity) / self.lot).round()
    }

    /// As `_open_trade` with a spread-adjusted price.
    pub(crate) fn open(&mut self, number: u32, direction: Direction, lots: f64, price: f64) {
        let size = match direction {
            Direction::Long => lots,
            Direction::Short => -lots,
        };
        let entry_price = price * self.lot;
        self.cash -= self.fee(size, entry_price);
        self.trades.push(Trade { number, size, entry_price });
    }

    /// As `_reduce_trade` and `_close_trade`, by so many lots.
    pub(crate) fn reduce(&mut self, number: u32, lots: f64, price: f64) {
        let price = price * self.lot;
        let fee = self.fee(lots, price);
        let Some(place) = self.trades.iter().position(|trade| trade.number == number) else {
            return;
        };
        let trade = &mut self.trades[place];
        let size = lots.copysign(trade.size);
        self.cash += size * (price - trade.entry_price) - fee;
        trade.size -= size;
        if trade.size == 0.0 {
            self.trades.remove(place);
        }
    }

    fn find(&self, number: u32) -> Option<&Trade> {
        self.trades.iter().find(|trade| trade.number == number)
    }

    fn fee(&self, size: f64, price: f64) -> f64 {
        self.commission_fixed + size.abs() * price * self.commission
    }
}

/// Python's `//` on floats: `(a - fmod(a, b)) / b`, then to the nearest whole number at or below.
pub(crate) fn floor_divide(a: f64, b: f64) -> f64 {
    let quotient = (a - a % b) / b;
    let floor = quotient.floor();
    if quotient - floor > 0.5 { floor + 1.0 } else { floor }
}
