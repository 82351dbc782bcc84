//! What an order of the queue does when it meets its price.

use rust_decimal::Decimal;

use super::{Filled, Leaving, Order, Purpose, Queue, Size, Trade, broker::floor_divide};
use crate::simulation::{
    SimulationError,
    engine::{Deal, Engine, Tie, levels},
    error::overflow,
    exact,
    portfolio::costs::Liquidity,
    rules::PositionMode,
    trade::Direction,
};

impl Queue {
    pub(super) fn fill_leave(
        &mut self,
        engine: &mut Engine<'_>,
        order: &Order,
        (number, lots, kind): (u32, Option<f64>, Leaving),
        filled: Filled,
        index: usize,
    ) -> Result<(), SimulationError> {
        let Some(trade) = self.trades.iter().find(|trade| trade.number == number).copied() else {
            return Ok(());
        };
        let is_ambiguous = match kind {
            Leaving::Market => false,
            Leaving::StopLoss | Leaving::TakeProfit => is_ambiguous(engine, &trade, index),
        };
        if kind == Leaving::StopLoss && is_ambiguous && engine.tie == Tie::TargetFirst {
            // The target comes later in the queue.
            self.prepend(*order);
            return Ok(());
        }
        let deal = if filled.is_limit {
            let time = engine.input.candles.open_time[index];
            Deal { price: filled.price, time, liquidity: Liquidity::Maker, reason: order.reason }
        } else {
            engine.exit_deal(filled.price, trade.direction, filled.candle, order.reason)
        };
        self.reduce(engine, number, lots, deal, is_ambiguous)
    }

    /// Closes so many lots of a trade, or all of it.
    pub(super) fn reduce(
        &mut self,
        engine: &mut Engine<'_>,
        number: u32,
        lots: Option<f64>,
        deal: Deal,
        is_ambiguous: bool,
    ) -> Result<(), SimulationError> {
        let whole = self.broker.size(number).abs();
        let lots = lots.unwrap_or(whole).min(whole);
        self.broker.reduce(number, lots, deal.price);
        if lots < whole {
            let quantity = quantity(engine, lots)?;
            return engine.reduce(number, quantity, deal, is_ambiguous);
        }
        self.trades.retain(|trade| trade.number != number);
        self.orders.retain(|order| match order.purpose {
            Purpose::Leave { number: of, .. } => of != number,
            Purpose::Enter { .. } => true,
        });
        engine.close(number, deal, is_ambiguous)
    }

    /// Sizes, nets and opens; false when nothing was opened.
    pub(super) fn fill_enter(
        &mut self,
        engine: &mut Engine<'_>,
        order: &Order,
        direction: Direction,
        size: Size,
        filled: Filled,
        index: usize,
    ) -> Result<bool, SimulationError> {
        // A limit order of backtesting.py pays its spread, too.
        let price = engine.entry_price(filled.price, direction, filled.candle);
        let booked_price = exact::round_f64(price).ok_or_else(|| overflow("a price"))?;
        if booked_price <= Decimal::ZERO {
            engine.reject(filled.candle, format!("a price of {booked_price} cannot be traded"));
            return Ok(false);
        }
        let close = engine.input.candles.close[index];
        let stop_loss = match order.purpose {
            Purpose::Enter { stop_loss, .. } => stop_loss,
            Purpose::Leave { .. } => None,
        };
        let offer = engine.offer(close, booked_price, stop_loss, Liquidity::Taker)?;
        let (lots, unit_cost) = match size {
            Size::Fraction(fraction) => {
                let unit_cost =
                    self.broker.unit_cost(&engine.costs, filled.price, fraction, direction);
                let spendable = self.broker.spendable(close) * fraction;
                (floor_divide(spendable, unit_cost), unit_cost)
            }
            Size::Lots(lots) => {
                (lots, self.broker.unit_cost(&engine.costs, filled.price, lots, direction))
            }
            Size::Sizing(sizing) => {
                let wanted = match offer.quantity(sizing, &engine.costs)? {
                    Ok(wanted) => wanted,
                    Err(reason) => {
                        engine.reject(filled.candle, reason);
                        return Ok(false);
                    }
                };
                let lots = self.broker.lots(wanted);
                (lots, self.broker.unit_cost(&engine.costs, filled.price, lots, direction))
            }
        };
        if lots < 1.0 {
            engine.reject(filled.candle, offer.too_little());
            return Ok(false);
        }
        let mode = engine.input.strategy.config.position_mode;
        let left = if mode == PositionMode::Hedging {
            lots
        } else {
            self.net(engine, order, direction, lots, filled)?
        };
        if left * unit_cost > self.broker.spendable(close) {
            let wanted = quantity(engine, left)?;
            let reason =
                format!("{wanted} at {booked_price} is more than the free margin pays for");
            engine.reject(filled.candle, reason);
            return Ok(false);
        }
        if left == 0.0 {
            return Ok(false);
        }
        let time = engine.input.candles.open_time[filled.candle];
        let deal = Deal { price, time, liquidity: Liquidity::Taker, reason: order.reason };
        let number = engine.open(direction, quantity(engine, left)?, deal)?;
        self.broker.open(number, direction, left, price);
        self.trades.push(Trade {
            number,
            direction,
            entry_price: price,
            entered: index,
            stop: None,
            target: None,
        });
        Ok(true)
    }

    /// Closes the other direction first in, first out; what is left of `lots`.
    fn net(
        &mut self,
        engine: &mut Engine<'_>,
        order: &Order,
        direction: Direction,
        lots: f64,
        filled: Filled,
    ) -> Result<f64, SimulationError> {
        let mut left = lots;
        let mut place = 0;
        while let Some(trade) = self.trades.get(place).copied().filter(|_| left > 0.0) {
            if trade.direction == direction {
                place += 1;
                continue;
            }
            let size = self.broker.size(trade.number).abs();
            let reason = order.reason;
            let deal = engine.exit_deal(filled.price, trade.direction, filled.candle, reason);
            self.reduce(engine, trade.number, Some(left.min(size)), deal, false)?;
            left = (left - size).max(0.0);
        }
        Ok(left)
    }
}

/// Whether candle `index` touches stop and target of a trade, without opening beyond the stop.
fn is_ambiguous(engine: &Engine<'_>, trade: &Trade, index: usize) -> bool {
    let candles = engine.input.candles;
    let (open, high, low) = (candles.open[index], candles.high[index], candles.low[index]);
    let is_stopped = |stop| {
        levels::is_stopped(trade.direction, low, high, stop)
            && !levels::is_gap(trade.direction, open, stop)
    };
    trade.stop.is_some_and(is_stopped)
        && trade.target.is_some_and(|level| levels::is_reached(trade.direction, low, high, level))
}

/// Whole lots as a quantity.
fn quantity(engine: &Engine<'_>, lots: f64) -> Result<Decimal, SimulationError> {
    exact::round_f64(lots)
        .and_then(|lots| exact::multiply(lots, engine.lot))
        .ok_or_else(|| overflow("a quantity"))
}
