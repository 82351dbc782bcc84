//! The order queue of backtesting.py 0.6.6, as docs/simulation.md describes it: one list, walked once per candle.

mod broker;
mod fills;
mod orders;
#[cfg(test)]
pub(super) mod plan;
mod stops;

use rust_decimal::Decimal;

use self::{
    broker::{Broker, LARGEST_FRACTION},
    orders::{Leaving, MetPrice, Order, Purpose, QueueEntry, Size},
};
use super::{
    Engine,
    entries::{Entry, EntryKind},
    fills::Reason,
    finalize::{END_OF_DATA, Holdings},
    general::OrderModel,
    levels::{self, CandlePrices},
};
use crate::simulation::{
    SimulationError, exact,
    portfolio::costs::Liquidity,
    rules::{PositionMode, Sizing},
    trade::Direction,
};

/// Orders and trades, in the order of the queue and of entry.
#[derive(Debug)]
pub(super) struct Queue {
    broker: Broker,
    orders: Vec<Order>,
    trades: Vec<QueueTrade>,
    next_id: u32,
    /// The orders of one walk, kept for its memory.
    snapshot: Vec<u32>,
}

/// An open trade; its numbers are the broker's.
#[derive(Debug, Clone, Copy)]
struct QueueTrade {
    number: u32,
    direction: Direction,
    entry_price: f64,
    /// The candle whose examination filled it.
    entered: usize,
    stop: Option<f64>,
    target: Option<f64>,
}

impl QueueTrade {
    fn find(trades: &[Self], number: u32) -> Option<&Self> {
        trades.iter().find(|trade| trade.number == number)
    }
}

impl OrderModel for Queue {
    fn is_idle(&self) -> bool {
        self.orders.is_empty() && self.trades.is_empty()
    }

    fn count(&self, direction: Direction) -> usize {
        self.trades.iter().filter(|trade| trade.direction == direction).count()
    }

    /// Exclusive entries close what is open first. Stops are measured from the order's own price, or from the close
    /// for a market order.
    fn enter(&mut self, engine: &Engine<'_>, entry: Entry) {
        let config = &engine.input.strategy.config;
        let direction = entry.direction;
        let mode = config.position_mode;
        self.orders.retain(|order| match order.purpose {
            Purpose::Enter(waiting) => {
                mode == PositionMode::Hedging && waiting.direction != direction
            }
            Purpose::Leave { .. } => true,
        });
        let (limit, stop) = match entry.kind {
            EntryKind::Market => (None, None),
            EntryKind::Limit(limit) => (Some(limit), None),
            EntryKind::Stop(stop) => (None, Some(stop)),
            EntryKind::StopLimit { stop, limit } => (Some(limit), Some(stop)),
        };
        let close = engine.input.candles.close[entry.signal];
        let price = limit.or(stop).unwrap_or(close);
        let fixed = config.stop_loss.map(|distance| levels::below_real(price, distance, direction));
        let trailing = config.trailing_stop.and_then(|trailing| {
            levels::trail_real(trailing, price, direction, engine.rules.range(entry.signal))
        });
        let stop_loss = match (fixed, trailing) {
            (Some(fixed), Some(trailing)) if levels::is_tighter(direction, fixed, trailing) => {
                Some(fixed)
            }
            (fixed, trailing) => trailing.or(fixed),
        };
        let take_profit =
            config.take_profit.map(|distance| levels::above_real(price, distance, direction));
        let size = match config.sizing {
            Sizing::AllIn => Size::Fraction(LARGEST_FRACTION),
            Sizing::PercentOfEquity(fraction) => {
                Size::Fraction(exact::to_f64(fraction).min(LARGEST_FRACTION))
            }
            Sizing::FixedQuantity(quantity) => {
                let whole = exact::whole_units(quantity, Decimal::ONE, engine.lot);
                Size::Lots(whole.map_or(f64::MAX, |whole| self.broker.lots(whole)))
            }
            sizing @ (Sizing::FixedAmount(_) | Sizing::RiskPercentage(_)) => Size::Sizing(sizing),
        };
        if mode == PositionMode::Exclusive {
            self.leave_trades(None, None, entry.reason);
        }
        let purpose = Purpose::Enter(QueueEntry { direction, size, stop_loss, take_profit });
        // With nothing to wait for, it is examined until it fills or is refused.
        let valid_to = if entry.kind == EntryKind::Market { usize::MAX } else { entry.valid_to };
        self.append(Order { stop, limit, valid_to, ..Order::new(purpose, entry.reason) });
    }

    /// Each close goes to the front of the queue.
    fn leave(&mut self, direction: Direction, portion: Option<Decimal>, reason: Reason) {
        let portion = portion.map(exact::to_f64);
        self.leave_trades(Some(direction), portion, reason);
    }

    /// Examines every order once, and again if a market entry added stops.
    fn examine(&mut self, engine: &mut Engine<'_>, index: usize) -> Result<(), SimulationError> {
        let mut is_again = true;
        while is_again {
            is_again = false;
            let mut snapshot = std::mem::take(&mut self.snapshot);
            snapshot.clear();
            snapshot.extend(self.orders.iter().map(|order| order.id));
            for id in &snapshot {
                // A ruined run enters nothing.
                if engine.is_ruined {
                    break;
                }
                is_again |= self.examine_order(engine, *id, index)?;
            }
            self.snapshot = snapshot;
        }
        Ok(())
    }

    fn lapse(&mut self, engine: &mut Engine<'_>, index: usize) {
        self.orders.retain(|order| {
            let is_valid = order.valid_to > index;
            if let Purpose::Enter(entry) = order.purpose
                && !is_valid
            {
                engine.expire(entry.direction, order.entry_kind(), index);
            }
            is_valid
        });
    }

    fn manage(&mut self, engine: &Engine<'_>, index: usize) -> Result<(), SimulationError> {
        let config = &engine.input.strategy.config;
        let close = engine.input.candles.close[index];
        for place in 0..self.trades.len() {
            let QueueTrade { number, direction, entry_price, stop, .. } = self.trades[place];
            let is_tighter = |level: f64, stop: Option<f64>| {
                stop.is_none_or(|stop| levels::is_tighter(direction, level, stop))
            };
            let trailed = config.trailing_stop.and_then(|trailing| {
                levels::trail_real(trailing, close, direction, engine.rules.range(index))
            });
            if let Some(level) = trailed.filter(|level| is_tighter(*level, stop)) {
                self.set_stop(number, level, "trailing_stop");
            }
            let stop = self.trades[place].stop;
            let gain = (close - entry_price) * levels::sign(direction);
            let is_due =
                config.break_even.is_some_and(|wanted| gain >= exact::to_f64(wanted) * entry_price);
            if is_due && is_tighter(entry_price, stop) {
                self.set_stop(number, entry_price, "break_even");
            }
        }
        Ok(())
    }

    fn time_out(&mut self, engine: &Engine<'_>, index: usize) {
        let Some(candles) = engine.input.strategy.config.max_candles else { return };
        for place in 0..self.trades.len() {
            let QueueTrade { number, entered, .. } = self.trades[place];
            if !self.is_leaving(number) && index + 1 - entered >= candles {
                self.close_at_market(number, None, Reason::Named("time_stop"));
            }
        }
    }
}

impl Holdings for Queue {
    fn close_all(
        &mut self,
        engine: &mut Engine<'_>,
        index: usize,
        name: &'static str,
    ) -> Result<(), SimulationError> {
        self.orders.clear();
        while let Some(trade) = self.trades.first().copied() {
            let fill = engine.close_exit(trade.direction, index, name);
            self.reduce(engine, trade.number, None, fill, false)?;
        }
        Ok(())
    }

    fn examine_last(
        &mut self,
        engine: &mut Engine<'_>,
        last: usize,
    ) -> Result<(), SimulationError> {
        self.leave_trades(None, None, Reason::Named(END_OF_DATA));
        self.examine(engine, last)
    }
}

impl Queue {
    pub(super) fn new(engine: &Engine<'_>) -> Self {
        Self {
            broker: Broker::new(
                engine.input.initial_balance,
                engine.lot,
                engine.leverage,
                &engine.costs,
            ),
            orders: Vec::new(),
            trades: Vec::new(),
            next_id: 0,
            snapshot: Vec::new(),
        }
    }

    /// Leaves trades at market, `portion` of each where it is given. Each close goes to the front of the queue.
    fn leave_trades(&mut self, direction: Option<Direction>, portion: Option<f64>, reason: Reason) {
        let is_end = reason == Reason::Named(END_OF_DATA);
        for place in 0..self.trades.len() {
            // The last order in front is the first one filled: at the end that is the oldest trade's.
            let place = if is_end { self.trades.len() - 1 - place } else { place };
            let trade = self.trades[place];
            let is_meant = direction.is_none_or(|direction| direction == trade.direction);
            if is_meant && (is_end || !self.is_leaving(trade.number)) {
                let lots = portion.map(|portion| {
                    let size = self.broker.size(trade.number).abs();
                    (size * portion).round_ties_even().max(1.0)
                });
                self.close_at_market(trade.number, lots, reason);
            }
        }
    }

    /// Whether all of a trade waits to be closed at market.
    fn is_leaving(&self, number: u32) -> bool {
        self.orders.iter().any(|order| match order.purpose {
            Purpose::Leave { number: of, lots: None, kind: Leaving::Market } => of == number,
            Purpose::Leave { .. } | Purpose::Enter(_) => false,
        })
    }

    fn close_at_market(&mut self, number: u32, lots: Option<f64>, reason: Reason) {
        let purpose = Purpose::Leave { number, lots, kind: Leaving::Market };
        self.prepend(Order::new(purpose, reason));
    }

    /// Whether the queue has to be walked again.
    fn examine_order(
        &mut self,
        engine: &mut Engine<'_>,
        id: u32,
        index: usize,
    ) -> Result<bool, SimulationError> {
        let Some(place) = self.orders.iter().position(|order| order.id == id) else {
            return Ok(false);
        };
        let Some(met) = self.meet(engine, place, index) else { return Ok(false) };
        let order = self.orders[place];
        match order.purpose {
            Purpose::Leave { number, lots, kind } => {
                self.orders.remove(place);
                self.fill_leave(engine, &order, (number, lots, kind), met, index)?;
                Ok(false)
            }
            Purpose::Enter(entry) => {
                self.orders.remove(place);
                let Some(trade) = self.fill_enter(engine, &order, entry, met, index)? else {
                    return Ok(false);
                };
                if let Some(target) = entry.take_profit {
                    self.set_target(trade.number, target);
                }
                if let Some(stop) = entry.stop_loss {
                    self.set_stop(trade.number, stop, Self::stop_name(engine, stop, &trade));
                }
                Ok(Self::is_again(engine, entry, met, index))
            }
        }
    }

    /// Whether stops that came with an entry already count on its candle.
    fn is_again(engine: &Engine<'_>, entry: QueueEntry, met: MetPrice, index: usize) -> bool {
        let QueueEntry { direction, stop_loss, take_profit, .. } = entry;
        if met.is_market {
            return stop_loss.is_some() || take_profit.is_some();
        }
        let candle = CandlePrices::of(engine.input.candles, index);
        let side = direction.exit_side();
        let is_reached =
            take_profit.is_some_and(|target| levels::is_limit_hit(side, candle, target));
        let is_stopped = stop_loss.is_some_and(|stop| levels::is_stop_hit(side, candle, stop));
        met.stop.is_some() && met.liquidity == Liquidity::Taker && is_reached && !is_stopped
    }

    fn prepend(&mut self, order: Order) {
        let id = self.take_id();
        self.orders.insert(0, Order { id, ..order });
    }

    fn append(&mut self, order: Order) {
        let id = self.take_id();
        self.orders.push(Order { id, ..order });
    }

    fn take_id(&mut self) -> u32 {
        self.next_id = self.next_id.wrapping_add(1);
        self.next_id
    }
}
