//! The walk over the candles: flat it leaps to the next entry, in a position to its exit.

mod conclusion;

use std::ops::{ControlFlow, Range};

use rust_decimal::Decimal;

use super::{
    Input, Observer, SimulationError, Step,
    backtesting_py::Broker,
    costs::{Costs, overflow},
    exact,
    outcome::Rejection,
    portfolio::{Execution, Exits, Portfolio, Position},
    rule_set::RuleSet,
    settings::{FillMode, Finalize, Intrabar, Preset},
    sizing::Offer,
    trade::Direction,
};

/// Progress is told, and the observer asked, at least once in so many candles.
const PROGRESS_CANDLES: usize = 4_096;

/// No more rejections than these are kept; the others are counted.
const REJECTIONS_KEPT: usize = 1_000;

/// The state of a run.
pub(crate) struct Engine<'a> {
    input: Input<'a>,
    rules: RuleSet<'a>,
    costs: Costs,
    /// The preset's own cash.
    broker: Option<Broker>,
    lot: Decimal,
    observer: &'a mut dyn Observer,
    portfolio: Portfolio,
    /// Of the candles of the range that have been walked.
    equity: Vec<f64>,
    rejections: Vec<Rejection>,
    rejections_count: usize,
    is_liquidated: bool,
    /// The first candle that has not been examined.
    next: usize,
    /// Where progress was last told.
    told: usize,
}

/// An entry that a rule placed at the close of candle `signal`.
#[derive(Debug, Clone, Copy)]
struct Entry {
    signal: usize,
    direction: Direction,
}

/// How a stop-loss or take-profit ended a position.
#[derive(Debug, Clone, Copy)]
struct Touch {
    price: f64,
    is_stop: bool,
    is_ambiguous: bool,
}

impl<'a> Engine<'a> {
    /// At the first candle of the range, with nothing but cash.
    pub(crate) fn try_new(
        input: Input<'a>,
        rules: RuleSet<'a>,
        observer: &'a mut dyn Observer,
    ) -> Result<Self, SimulationError> {
        let costs = Costs::try_new(input.settings)?;
        let lot = input.settings.lot.unwrap_or(input.lot);
        let is_preset = input.settings.preset == Preset::BacktestingPy;
        Ok(Self {
            input,
            rules,
            costs,
            broker: is_preset.then(|| Broker::new(input.initial_balance, lot, &costs)),
            lot,
            observer,
            portfolio: Portfolio::new(input.initial_balance),
            equity: Vec::with_capacity(input.candles.len() - input.range_start),
            rejections: Vec::new(),
            rejections_count: 0,
            is_liquidated: false,
            next: input.range_start,
            told: input.range_start,
        })
    }

    /// Walks to the end and finalizes.
    pub(crate) fn walk(&mut self, first_evaluated: usize) -> Result<(), SimulationError> {
        let len = self.input.candles.len();
        self.mark_cash(first_evaluated)?;
        let mut pending = None;
        while self.next < len {
            pending = match self.portfolio.position {
                None => self.walk_flat()?,
                Some(position) => self.walk_position(position)?,
            };
        }
        if !self.is_liquidated {
            self.finalize(pending)?;
        }
        self.tell()
    }

    /// To the next entry that a rule places, and into it. Given back: one placed on the last candle.
    fn walk_flat(&mut self) -> Result<Option<Entry>, SimulationError> {
        let len = self.input.candles.len();
        let Some((signal, direction)) = self.rules.next_entry(self.next) else {
            self.mark_cash(len)?;
            return Ok(None);
        };
        self.mark_cash(signal + 1)?;
        let entry = Entry { signal, direction };
        if self.next == len {
            return Ok(Some(entry));
        }
        self.enter(entry, self.next)?;
        Ok(None)
    }

    /// To the position's exit and, where the opposite entry is placed with it, into that.
    fn walk_position(&mut self, position: Position) -> Result<Option<Entry>, SimulationError> {
        let len = self.input.candles.len();
        let exit = self.rules.next_exit(position.direction, self.next);
        let is_open = self.hold(&position, exit.map_or(len, |signal| signal + 1))?;
        let Some(signal) = exit.filter(|_| is_open) else { return Ok(None) };
        let direction = position.direction.opposite();
        let flip = self.rules.is_entry(direction, signal).then_some(Entry { signal, direction });
        if self.next == len {
            return Ok(flip);
        }
        let reason = self.rules.exit_reason(position.direction, signal);
        self.leave_at_market(self.next, reason)?;
        if let Some(entry) = flip
            && self.next < len
        {
            self.enter(entry, self.next)?;
        }
        Ok(None)
    }

    /// Walks with a position up to `end`, unless a stop, a target or liquidation ends it before.
    fn hold(&mut self, position: &Position, end: usize) -> Result<bool, SimulationError> {
        while self.next < end {
            let chunk = self.next..end.min(self.next + PROGRESS_CANDLES);
            let touched = self.first_touch(position, chunk.clone());
            let marked = touched.map_or(chunk.end, |(index, _)| index);
            let from = self.equity.len();
            let closes = &self.input.candles.close[chunk.start..marked];
            self.equity.extend(closes.iter().map(|close| position.equity(*close)));
            if let Some(offset) = self.equity[from..].iter().position(|equity| *equity <= 0.0) {
                self.equity.truncate(from + offset);
                self.liquidate(chunk.start + offset)?;
                return Ok(false);
            }
            self.next = marked;
            if let Some((index, touch)) = touched {
                self.leave_at_touch(position, index, touch)?;
                return Ok(false);
            }
            self.progress()?;
        }
        Ok(true)
    }

    fn first_touch(&self, position: &Position, range: Range<usize>) -> Option<(usize, Touch)> {
        if position.stop_loss.is_none() && position.take_profit.is_none() {
            return None;
        }
        let candles = self.input.candles;
        let start = range.start;
        let (lower, upper) = match position.direction {
            Direction::Long => (position.stop_loss, position.take_profit),
            Direction::Short => (position.take_profit, position.stop_loss),
        };
        let (lower, upper) = (lower.unwrap_or(f64::NEG_INFINITY), upper.unwrap_or(f64::INFINITY));
        let mut rows = candles.low[range.clone()].iter().zip(&candles.high[range]);
        let offset = rows.position(|(low, high)| *low <= lower || *high >= upper)?;
        let index = start + offset;
        let (is_low, is_high) = (candles.low[index] <= lower, candles.high[index] >= upper);
        let (is_stop, is_target) = match position.direction {
            Direction::Long => (is_low, is_high),
            Direction::Short => (is_high, is_low),
        };
        Some((index, self.touch(position, candles.open[index], is_stop, is_target)?))
    }

    /// Which of the two a candle that opens at `open` fills, and at what price.
    fn touch(&self, held: &Position, open: f64, is_stop: bool, is_target: bool) -> Option<Touch> {
        let stop = held.stop_loss.filter(|_| is_stop).map(|stop| match held.direction {
            Direction::Long => (open.min(stop), open <= stop),
            Direction::Short => (open.max(stop), open >= stop),
        });
        let target = held.take_profit.filter(|_| is_target).map(|target| match held.direction {
            Direction::Long => open.max(target),
            Direction::Short => open.min(target),
        });
        // An open beyond the stop has hit it before anything else could be.
        let is_ambiguous = target.is_some() && stop.is_some_and(|(_, is_gap)| !is_gap);
        let targets_first = self.input.settings.intrabar == Intrabar::TargetFirst;
        match (stop, target) {
            (Some(_), Some(price)) if is_ambiguous && targets_first => {
                Some(Touch { price, is_stop: false, is_ambiguous })
            }
            (Some((price, _)), _) => Some(Touch { price, is_stop: true, is_ambiguous }),
            (None, Some(price)) => Some(Touch { price, is_stop: false, is_ambiguous }),
            (None, None) => None,
        }
    }

    fn leave_at_touch(
        &mut self,
        position: &Position,
        index: usize,
        touch: Touch,
    ) -> Result<(), SimulationError> {
        let (price, reason) = if touch.is_stop {
            (self.costs.exit_price(touch.price, position.direction), "stop_loss")
        } else {
            (touch.price, "take_profit")
        };
        let time = self.input.candles.open_time[index];
        self.close(price, time, reason.to_owned(), touch.is_ambiguous)
    }

    /// Leaves at the market price of an order that is examined on candle `index`.
    fn leave_at_market(&mut self, index: usize, reason: String) -> Result<(), SimulationError> {
        let Some(position) = self.portfolio.position else { return Ok(()) };
        let (price, time) = self.market(index);
        self.close(self.costs.exit_price(price, position.direction), time, reason, false)
    }

    fn close(
        &mut self,
        price: f64,
        time: i64,
        reason: String,
        is_ambiguous: bool,
    ) -> Result<(), SimulationError> {
        if let Some(broker) = &mut self.broker {
            broker.close(price);
        }
        let price = exact::round_f64(price).ok_or_else(|| overflow("a price"))?;
        let execution = Execution { time, price, reason };
        if let Some(trade) = self.portfolio.close(execution, is_ambiguous, &self.costs)?
            && self.observer.observe(Step::Closed(trade)).is_break()
        {
            return Err(SimulationError::Stopped);
        }
        if self.portfolio.cash <= Decimal::ZERO {
            self.is_liquidated = true;
            self.mark_cash(self.input.candles.len())?;
        }
        Ok(())
    }

    /// Equity at the close of `index` is nothing or less: what is held is sold there, and nothing follows.
    fn liquidate(&mut self, index: usize) -> Result<(), SimulationError> {
        let Some(position) = self.portfolio.position else { return Ok(()) };
        self.next = index;
        self.is_liquidated = true;
        let candles = self.input.candles;
        let price = self.costs.exit_price(candles.close[index], position.direction);
        self.close(price, candles.open_time[index], "liquidation".to_owned(), false)?;
        self.mark_cash(candles.len())
    }

    /// Enters at the market price of an order that is examined on candle `index`, or notes why not.
    fn enter(&mut self, entry: Entry, index: usize) -> Result<(), SimulationError> {
        let Entry { signal, direction } = entry;
        let (price, time) = self.market(index);
        let strategy = self.input.strategy;
        let fill_price = self.costs.entry_price(price, direction);
        let booked_price = exact::round_f64(fill_price).ok_or_else(|| overflow("a price"))?;
        if booked_price <= Decimal::ZERO {
            self.reject(time, format!("a price of {booked_price} cannot be traded"));
            return Ok(());
        }
        let exits = self.exits(entry, booked_price)?;
        let offer = Offer {
            direction,
            price,
            booked_price,
            stop_loss: exits.stop_loss,
            cash: self.portfolio.cash,
            lot: self.lot,
        };
        let quantity = match &self.broker {
            None => offer.quantity(strategy.config.sizing, &self.costs)?,
            Some(broker) => broker.quantity(&offer, strategy.config.sizing, &self.costs)?,
        };
        let quantity = match quantity {
            Ok(quantity) => quantity,
            Err(reason) => {
                self.reject(time, reason);
                return Ok(());
            }
        };
        if let Some(broker) = &mut self.broker {
            broker.open(direction, quantity, fill_price);
        }
        let reason = self.rules.entry_reason(direction, signal);
        let execution = Execution { time, price: booked_price, reason };
        let trade = self.portfolio.open(execution, direction, quantity, exits, &self.costs)?;
        match self.observer.observe(Step::Opened(trade)) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(SimulationError::Stopped),
        }
    }

    /// Levels of stop-loss and take-profit: by the fill price, in the preset by the signal candle's close.
    fn exits(&self, entry: Entry, booked_price: Decimal) -> Result<Exits, SimulationError> {
        let config = self.input.strategy.config;
        let level = |distance: Option<f64>, sign: f64| {
            let Some(distance) = distance else { return Ok(None) };
            match self.input.settings.preset {
                Preset::BacktestingPy => {
                    Ok(Some(self.input.candles.close[entry.signal] * (1.0 + sign * distance)))
                }
                Preset::Backtrail => exact::decimal(sign * distance)
                    .and_then(|part| exact::multiply(booked_price, Decimal::ONE + part))
                    .map(|level| Some(exact::to_f64(level)))
                    .ok_or_else(|| overflow("a stop")),
            }
        };
        let with_you = match entry.direction {
            Direction::Long => 1.0,
            Direction::Short => -1.0,
        };
        Ok(Exits {
            stop_loss: level(config.stop_loss, -with_you)?,
            take_profit: level(config.take_profit, with_you)?,
        })
    }

    /// Price and time of a market order that is examined on candle `index`, before any costs.
    fn market(&self, index: usize) -> (f64, i64) {
        let candles = self.input.candles;
        match self.input.settings.fill {
            FillMode::NextOpen => (candles.open[index], candles.open_time[index]),
            FillMode::Close => (candles.close[index - 1], candles.open_time[index - 1]),
        }
    }

    fn reject(&mut self, time: i64, reason: String) {
        self.rejections_count += 1;
        if self.rejections.len() < REJECTIONS_KEPT {
            self.rejections.push(Rejection { time, reason });
        }
    }

    /// Ends what is open, as the settings say; `pending` was placed on the last candle.
    fn finalize(&mut self, pending: Option<Entry>) -> Result<(), SimulationError> {
        let candles = self.input.candles;
        let last = candles.len() - 1;
        match self.input.settings.finalize {
            Finalize::LeaveOpen => return Ok(()),
            Finalize::Close => {
                let Some(position) = self.portfolio.position else { return Ok(()) };
                let price = self.costs.exit_price(candles.close[last], position.direction);
                let time = candles.open_time[last];
                self.close(price, time, "end_of_data".to_owned(), false)?;
            }
            // backtesting.py walks its queue once more over the last candle, closes first.
            Finalize::Open => {
                self.leave_at_market(last, "end_of_data".to_owned())?;
                if let Some(entry) = pending
                    && !self.is_liquidated
                {
                    self.enter(entry, last)?;
                }
            }
        }
        self.equity.truncate(last - self.input.range_start);
        self.next = last;
        if let Some(position) = self.portfolio.position {
            self.hold(&position, last + 1)?;
        }
        self.mark_cash(last + 1)
    }

    /// Marks cash as the equity of every candle before `end` that is not marked yet.
    fn mark_cash(&mut self, end: usize) -> Result<(), SimulationError> {
        let cash = exact::to_f64(self.portfolio.cash);
        while self.next < end {
            self.next = end.min(self.next + PROGRESS_CANDLES);
            self.equity.resize(self.next - self.input.range_start, cash);
            self.progress()?;
        }
        Ok(())
    }

    fn progress(&mut self) -> Result<(), SimulationError> {
        if self.next < self.told + PROGRESS_CANDLES { Ok(()) } else { self.tell() }
    }

    fn tell(&mut self) -> Result<(), SimulationError> {
        self.told = self.next;
        let total = self.input.candles.len() - self.input.range_start;
        let done = self.next - self.input.range_start;
        let equity = self.equity.last().copied().unwrap_or_default();
        match self.observer.observe(Step::Progress { done, total, equity }) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(SimulationError::Stopped),
        }
    }
}
