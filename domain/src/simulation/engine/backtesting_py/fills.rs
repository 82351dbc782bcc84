//! What happens when an order of the queue reaches its price.

use rust_decimal::Decimal;

use super::{
    Queue, QueueTrade,
    broker::floor_divide,
    orders::{Leaving, MetPrice, Order, Purpose, QueueEntry, Size},
};
use crate::simulation::{
    SimulationError,
    engine::{
        Engine, IntrabarPriority,
        fills::{FillContext, PricedFill},
        levels::{self, CandlePrices},
    },
    error::overflow,
    exact,
    portfolio::costs::Liquidity,
    rules::PositionMode,
    trade::{Barriers, FillPlace, Moment},
};

impl Queue {
    pub(super) fn fill_leave(
        &mut self,
        engine: &mut Engine<'_>,
        order: &Order,
        (number, lots, kind): (u32, Option<f64>, Leaving),
        met: MetPrice,
        index: usize,
    ) -> Result<(), SimulationError> {
        let Some(trade) = QueueTrade::find(&self.trades, number).copied() else { return Ok(()) };
        let is_ambiguous = kind != Leaving::Market && is_ambiguous(engine, &trade, index);
        let is_target_first = engine.priority == IntrabarPriority::TargetFirst;
        if kind == Leaving::StopLoss && is_ambiguous && is_target_first {
            // The target comes later in the queue.
            self.prepend(*order);
            return Ok(());
        }
        let fill = match met.liquidity {
            Liquidity::Maker => engine.maker_exit(met.price, index, order.reason),
            Liquidity::Taker => {
                let moment = if met.candle < index { Moment::Close } else { Moment::Within };
                let place = FillPlace { candle: met.candle, moment };
                engine.taker_exit(met.price, trade.direction, place, order.reason)
            }
        };
        self.reduce(engine, number, lots, fill, is_ambiguous)
    }

    /// Closes so many lots of a trade, or all of it.
    pub(super) fn reduce(
        &mut self,
        engine: &mut Engine<'_>,
        number: u32,
        lots: Option<f64>,
        fill: PricedFill,
        is_ambiguous: bool,
    ) -> Result<(), SimulationError> {
        let whole = self.broker.size(number).abs();
        let lots = lots.unwrap_or(whole).min(whole);
        self.broker.reduce(number, lots, fill.price);
        if lots < whole {
            let quantity = quantity(engine, lots)?;
            return engine.reduce(number, quantity, fill, is_ambiguous);
        }
        self.trades.retain(|trade| trade.number != number);
        self.orders.retain(|order| match order.purpose {
            Purpose::Leave { number: of, .. } => of != number,
            Purpose::Enter(_) => true,
        });
        engine.close(number, fill, is_ambiguous)
    }

    /// Sizes, nets and opens; `None` if nothing was opened.
    pub(super) fn fill_enter(
        &mut self,
        engine: &mut Engine<'_>,
        order: &Order,
        entry: QueueEntry,
        met: MetPrice,
        index: usize,
    ) -> Result<Option<QueueTrade>, SimulationError> {
        let QueueEntry { direction, size, stop_loss, .. } = entry;
        // A limit order of backtesting.py pays its spread, too.
        let (price, liquidity) = (met.price, Liquidity::Taker);
        let (reason, candle) = (order.reason, met.candle);
        let context = FillContext { direction, reason, price, liquidity, candle, index };
        let Some(admitted) = engine.admit_entry(&context)? else { return Ok(None) };
        let close = engine.input.candles.close[index];
        let stop_loss = stop_loss.map(|stop| exact::price(stop).ok_or_else(|| overflow("a stop")));
        let stop_loss = stop_loss.transpose()?;
        let offer = engine.offer(close, admitted.booked_price, stop_loss, liquidity)?;
        let unit_cost = |queue: &Self, engine: &Engine<'_>, size| {
            queue.broker.unit_cost(&engine.costs, price, size, direction)
        };
        let (lots, unit_cost) = match size {
            Size::Fraction(fraction) => {
                let unit_cost = unit_cost(self, engine, fraction);
                (floor_divide(self.broker.spendable(close) * fraction, unit_cost), unit_cost)
            }
            Size::Lots(lots) => (lots, unit_cost(self, engine, lots)),
            Size::Sizing(sizing) => {
                let wanted = offer.quantity(sizing, &engine.costs);
                let wanted = engine.admit_quantity(&context, &offer, wanted);
                let Some(wanted) = wanted else { return Ok(None) };
                let lots = self.broker.lots(wanted);
                (lots, unit_cost(self, engine, lots))
            }
        };
        if lots < 1.0 {
            engine.reject(&context, || offer.too_little());
            return Ok(None);
        }
        let is_hedging = engine.input.strategy.config.position_mode == PositionMode::Hedging;
        let left = if is_hedging { lots } else { self.net(engine, &context, lots)? };
        if left * unit_cost > self.broker.spendable(close) {
            let wanted = quantity(engine, left)?;
            let price = admitted.booked_price;
            engine.reject(&context, || {
                format!("{wanted} at {price} is more than the free margin pays for")
            });
            return Ok(None);
        }
        if left == 0.0 {
            return Ok(None);
        }
        let barriers = Barriers { stop: entry.stop_loss, target: entry.take_profit };
        let number = engine.open(direction, quantity(engine, left)?, admitted, barriers)?;
        let entry_price = admitted.fill.price;
        self.broker.open(number, direction, left, entry_price);
        let (stop, target) = (None, None);
        let trade = QueueTrade { number, direction, entry_price, entered: index, stop, target };
        self.trades.push(trade);
        Ok(Some(trade))
    }

    /// Closes the other direction first in, first out; what is left of `lots`.
    fn net(
        &mut self,
        engine: &mut Engine<'_>,
        context: &FillContext,
        lots: f64,
    ) -> Result<f64, SimulationError> {
        let mut left = lots;
        let mut place = 0;
        while let Some(trade) = self.trades.get(place).copied().filter(|_| left > 0.0) {
            if trade.direction == context.direction {
                place += 1;
                continue;
            }
            let size = self.broker.size(trade.number).abs();
            let fill = engine.opposite_exit(context, trade.direction);
            self.reduce(engine, trade.number, Some(left.min(size)), fill, false)?;
            left = (left - size).max(0.0);
        }
        Ok(left)
    }
}

/// Whether candle `index` reaches stop and target of a trade, and the queue decides which comes first. backtesting.py asks
/// for the stop first even where the candle opened beyond the target.
fn is_ambiguous(engine: &Engine<'_>, trade: &QueueTrade, index: usize) -> bool {
    let candle = CandlePrices::of(engine.input.candles, index);
    let side = trade.direction.exit_side();
    let is_target_hit = trade.target.is_some_and(|level| levels::is_limit_hit(side, candle, level));
    let is_stop_hit = trade.stop.is_some_and(|level| {
        levels::is_stop_hit(side, candle, level)
            && !levels::is_stop_passed(side, candle.open, level)
    });
    is_target_hit && is_stop_hit
}

/// Whole lots as a quantity.
fn quantity(engine: &Engine<'_>, lots: f64) -> Result<Decimal, SimulationError> {
    exact::round_f64(lots, 0)
        .and_then(|lots| exact::multiply(lots, engine.lot))
        .ok_or_else(|| overflow("a quantity"))
}
