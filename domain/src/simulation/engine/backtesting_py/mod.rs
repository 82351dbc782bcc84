//! The order queue of backtesting.py 0.6.6, in the words of docs/simulation.md: one list, walked once a candle.

mod broker;
mod fills;
#[cfg(test)]
mod plan;
mod stops;

use self::{
    broker::{Broker, LARGEST_FRACTION},
    stops::trail,
};
use super::{
    Engine, Reason, levels,
    orders::{Entry, Kind},
};
use crate::simulation::{
    SimulationError, exact,
    rules::{PositionMode, Sizing},
    settings::FillMode,
    trade::Direction,
};

/// Orders and trades, in the order of the queue and of entry.
#[derive(Debug)]
pub(super) struct Queue {
    broker: Broker,
    orders: Vec<Order>,
    trades: Vec<Trade>,
    next_id: u32,
    /// The orders of one walk, kept for its memory.
    snapshot: Vec<u32>,
}

#[derive(Debug, Clone, Copy)]
struct Order {
    id: u32,
    purpose: Purpose,
    stop: Option<f64>,
    limit: Option<f64>,
    reason: Reason,
    /// The last candle after whose close it still waits.
    valid_to: usize,
}

#[derive(Debug, Clone, Copy)]
enum Purpose {
    Enter {
        direction: Direction,
        size: Size,
        stop_loss: Option<f64>,
        take_profit: Option<f64>,
    },
    /// Of the trade with that number: so many lots of it, all where it is none.
    Leave {
        number: u32,
        lots: Option<f64>,
        kind: Leaving,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leaving {
    Market,
    StopLoss,
    TakeProfit,
}

/// How much an order is for.
#[derive(Debug, Clone, Copy)]
enum Size {
    /// Of the free margin, below 1.
    Fraction(f64),
    /// Whole lots.
    Lots(f64),
    /// By our own rules, which it does not have.
    Sizing(Sizing),
}

/// An open trade; its numbers are the broker's.
#[derive(Debug, Clone, Copy)]
struct Trade {
    number: u32,
    direction: Direction,
    entry_price: f64,
    /// The candle whose examination filled it.
    entered: usize,
    stop: Option<f64>,
    target: Option<f64>,
}

/// An order that met its price.
#[derive(Debug, Clone, Copy)]
struct Filled {
    price: f64,
    /// The stop that it passed on this candle.
    stop: Option<f64>,
    is_market: bool,
    is_limit: bool,
    /// The candle on which it is stamped.
    candle: usize,
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

    pub(super) fn is_idle(&self) -> bool {
        self.orders.is_empty() && self.trades.is_empty()
    }

    /// Open trades of a direction.
    pub(super) fn count(&self, direction: Direction) -> usize {
        self.trades.iter().filter(|trade| trade.direction == direction).count()
    }

    /// Places an entry in the place of the one that waits (in hedging of its direction). Exclusive ones close what
    /// is open first. Stops are measured from the order's own price, that of a market order from the close.
    pub(super) fn enter(&mut self, engine: &Engine<'_>, entry: &Entry) {
        let config = &engine.input.strategy.config;
        let direction = entry.direction;
        let mode = config.position_mode;
        self.orders.retain(|order| match order.purpose {
            Purpose::Enter { direction: waiting, .. } => {
                mode == PositionMode::Hedging && waiting != direction
            }
            Purpose::Leave { .. } => true,
        });
        let (limit, stop) = match entry.kind {
            Kind::Market => (None, None),
            Kind::Limit(limit) => (Some(limit), None),
            Kind::Stop(stop) => (None, Some(stop)),
            Kind::StopLimit { stop, limit } => (Some(limit), Some(stop)),
        };
        let close = engine.input.candles.close[entry.signal];
        let price = limit.or(stop).unwrap_or(close);
        let sign = levels::sign(direction);
        let fixed = config.stop_loss.map(|distance| price * (1.0 - sign * distance));
        let trailing = config.trailing_stop.and_then(|trailing| {
            trail(trailing, price, direction, engine.rules.range(entry.signal))
        });
        let stop_loss = match (fixed, trailing) {
            (Some(fixed), Some(trailing)) if levels::is_tighter(direction, fixed, trailing) => {
                Some(fixed)
            }
            (fixed, trailing) => trailing.or(fixed),
        };
        let take_profit = config.take_profit.map(|distance| price * (1.0 + sign * distance));
        let size = match config.sizing {
            Sizing::AllIn => Size::Fraction(LARGEST_FRACTION),
            Sizing::PercentOfEquity(fraction) => Size::Fraction(fraction.min(LARGEST_FRACTION)),
            Sizing::FixedQuantity(quantity) => {
                let lots = exact::decimal(quantity).and_then(|all| all.checked_div(engine.lot));
                Size::Lots(lots.map_or(f64::MAX, |lots| exact::to_f64(lots.floor())))
            }
            sizing @ (Sizing::FixedAmount(_) | Sizing::RiskPercentage(_)) => Size::Sizing(sizing),
        };
        if mode == PositionMode::Exclusive {
            self.leave(None, None, entry.reason);
        }
        let purpose = Purpose::Enter { direction, size, stop_loss, take_profit };
        // With nothing to wait for, it is examined until it fills or is refused.
        let valid_to = if entry.kind == Kind::Market { usize::MAX } else { entry.valid_to };
        self.append(Order { id: 0, purpose, stop, limit, reason: entry.reason, valid_to });
    }

    /// Leaves trades at market, `portion` of each where it is given. Each close goes to the front of the queue.
    pub(super) fn leave(
        &mut self,
        direction: Option<Direction>,
        portion: Option<f64>,
        reason: Reason,
    ) {
        let is_end = reason == Reason::Named("end_of_data");
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
            Purpose::Leave { .. } | Purpose::Enter { .. } => false,
        })
    }

    fn close_at_market(&mut self, number: u32, lots: Option<f64>, reason: Reason) {
        let purpose = Purpose::Leave { number, lots, kind: Leaving::Market };
        let order = Order { id: 0, purpose, stop: None, limit: None, reason, valid_to: usize::MAX };
        self.prepend(order);
    }

    /// Candle `index`: every order once, and again when a market entry brought stops of its own.
    pub(super) fn examine(
        &mut self,
        engine: &mut Engine<'_>,
        index: usize,
    ) -> Result<(), SimulationError> {
        let mut is_again = true;
        while is_again {
            is_again = false;
            let mut snapshot = std::mem::take(&mut self.snapshot);
            snapshot.clear();
            snapshot.extend(self.orders.iter().map(|order| order.id));
            for id in &snapshot {
                // Who has nothing left enters nothing.
                if engine.is_ruined {
                    break;
                }
                is_again |= self.examine_order(engine, *id, index)?;
            }
            self.snapshot = snapshot;
        }
        Ok(())
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
        let Some(filled) = self.meets(engine, place, index) else { return Ok(false) };
        let order = self.orders[place];
        match order.purpose {
            Purpose::Leave { number, lots, kind } => {
                self.orders.remove(place);
                self.fill_leave(engine, &order, (number, lots, kind), filled, index)?;
                Ok(false)
            }
            Purpose::Enter { direction, size, stop_loss, take_profit } => {
                self.orders.remove(place);
                let is_open = self.fill_enter(engine, &order, direction, size, filled, index)?;
                if !is_open {
                    return Ok(false);
                }
                if let Some(trade) = self.trades.last().copied() {
                    if let Some(target) = take_profit {
                        self.set_target(trade.number, target);
                    }
                    if let Some(stop) = stop_loss {
                        self.set_stop(trade.number, stop, Self::stop_name(engine, stop, &trade));
                    }
                }
                Ok(Self::is_again(engine, direction, stop_loss, take_profit, filled, index))
            }
        }
    }

    /// Whether stops that came with an entry already count on its candle.
    fn is_again(
        engine: &Engine<'_>,
        direction: Direction,
        stop_loss: Option<f64>,
        take_profit: Option<f64>,
        filled: Filled,
        index: usize,
    ) -> bool {
        if filled.is_market {
            return stop_loss.is_some() || take_profit.is_some();
        }
        let candles = engine.input.candles;
        let (low, high) = (candles.low[index], candles.high[index]);
        let is_reached =
            take_profit.is_some_and(|level| levels::is_reached(direction, low, high, level));
        let is_stopped =
            stop_loss.is_some_and(|level| levels::is_stopped(direction, low, high, level));
        filled.stop.is_some() && !filled.is_limit && is_reached && !is_stopped
    }

    /// The price at which the order fills on candle `index`, if it does; a stop that was reached is gone.
    fn meets(&mut self, engine: &Engine<'_>, place: usize, index: usize) -> Option<Filled> {
        let candles = engine.input.candles;
        let (open, high, low) = (candles.open[index], candles.high[index], candles.low[index]);
        let order = &mut self.orders[place];
        let (is_buy, is_contingent) = match order.purpose {
            Purpose::Enter { direction, .. } => (direction == Direction::Long, false),
            Purpose::Leave { number, kind, .. } => {
                let trade = self.trades.iter().find(|trade| trade.number == number)?;
                (trade.direction == Direction::Short, kind != Leaving::Market)
            }
        };
        let stop = order.stop;
        if let Some(stop) = stop {
            let is_hit = if is_buy { high >= stop } else { low <= stop };
            if !is_hit {
                return None;
            }
            if !is_contingent {
                order.stop = None;
            }
        }
        if let Some(limit) = order.limit {
            let is_hit = if is_buy { low <= limit } else { high >= limit };
            let is_before_stop =
                stop.is_some_and(|stop| if is_buy { limit <= stop } else { limit >= stop });
            if !is_hit || is_before_stop {
                return None;
            }
            let from = stop.unwrap_or(open);
            let price = if is_buy { from.min(limit) } else { from.max(limit) };
            return Some(Filled { price, stop, is_market: false, is_limit: true, candle: index });
        }
        let by_close = engine.input.settings.fill == FillMode::Close && !is_contingent;
        let price = if by_close { candles.close[index - 1] } else { open };
        let price = match stop {
            Some(stop) if is_buy => price.max(stop),
            Some(stop) => price.min(stop),
            None => price,
        };
        let is_market = stop.is_none();
        let candle = if by_close && is_market { index - 1 } else { index };
        Some(Filled { price, stop, is_market, is_limit: false, candle })
    }

    /// After the rules: whoever was held long enough leaves.
    pub(super) fn time_out(&mut self, engine: &Engine<'_>, index: usize) {
        let Some(candles) = engine.input.strategy.config.max_candles else { return };
        for place in 0..self.trades.len() {
            let Trade { number, entered, .. } = self.trades[place];
            if !self.is_leaving(number) && index + 1 - entered >= candles {
                self.close_at_market(number, None, Reason::Named("time_stop"));
            }
        }
    }

    /// Sells everything at the close of candle `index`, and forgets what waits.
    pub(super) fn close_all(
        &mut self,
        engine: &mut Engine<'_>,
        index: usize,
        name: &'static str,
    ) -> Result<(), SimulationError> {
        self.orders.clear();
        let close = engine.input.candles.close[index];
        while let Some(trade) = self.trades.first().copied() {
            let deal = engine.exit_deal(close, trade.direction, index, Reason::Named(name));
            self.reduce(engine, trade.number, None, deal, false)?;
        }
        Ok(())
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
