//! The walk of the common case, one trade at a time, entered at market: flat it leaps to the next entry, in a position
//! to its exit.

use std::ops::Range;

use rust_decimal::Decimal;

use super::{Deal, Engine, PROGRESS_CANDLES, Reason, Tie, levels};
use crate::simulation::{
    Candles, SimulationError, equity::best, error::overflow, exact, indicators::smaller,
    portfolio::costs::Liquidity, settings::Finalize, trade::Direction,
};

/// An entry that a rule placed at the close of candle `signal`.
#[derive(Debug, Clone, Copy)]
struct Entry {
    signal: usize,
    direction: Direction,
}

/// What is held, as real numbers.
#[derive(Debug, Clone, Copy)]
struct Held {
    number: u32,
    direction: Direction,
    signed_quantity: f64,
    cash: f64,
    stop_loss: Option<f64>,
    take_profit: Option<f64>,
}

/// How a stop-loss or take-profit ended a position.
#[derive(Debug, Clone, Copy)]
struct Touch {
    price: f64,
    is_stop: bool,
    is_ambiguous: bool,
}

impl Held {
    fn equity(&self, close: f64) -> f64 {
        self.cash + self.signed_quantity * close
    }
}

impl Engine<'_> {
    /// Walks to the end and finalizes.
    pub(super) fn leap(&mut self) -> Result<(), SimulationError> {
        let len = self.input.candles.len();
        let (mut held, mut pending) = (None, None);
        while self.next < len {
            (held, pending) = match held {
                None => self.leap_flat()?,
                Some(position) => self.leap_position(position)?,
            };
        }
        if self.is_ruined { Ok(()) } else { self.end(held, pending) }
    }

    /// To the next entry that a rule places, and into it. Given back: one placed on the last candle.
    fn leap_flat(&mut self) -> Result<(Option<Held>, Option<Entry>), SimulationError> {
        let len = self.input.candles.len();
        let Some((signal, direction)) = self.rules.next_entry(self.next) else {
            self.mark_cash(len)?;
            return Ok((None, None));
        };
        self.look_ahead();
        self.mark_cash(signal + 1)?;
        let entry = Entry { signal, direction };
        if self.next == len {
            return Ok((None, Some(entry)));
        }
        Ok((self.enter(entry, self.next)?, None))
    }

    /// To the position's exit and, where the opposite entry is placed with it, into that.
    fn leap_position(
        &mut self,
        held: Held,
    ) -> Result<(Option<Held>, Option<Entry>), SimulationError> {
        let len = self.input.candles.len();
        let exit = self.rules.next_exit(held.direction, self.next);
        if !self.hold(&held, exit.map_or(len, |signal| signal + 1))? {
            return Ok((None, None));
        }
        let Some(signal) = exit else { return Ok((Some(held), None)) };
        let direction = held.direction.opposite();
        let flip = self.rules.is_entry(direction, signal).then_some(Entry { signal, direction });
        if self.next == len {
            return Ok((Some(held), flip));
        }
        self.leave_at_market(&held, self.next, Reason::Exit(held.direction, signal))?;
        match flip {
            Some(entry) if self.next < len => Ok((self.enter(entry, self.next)?, None)),
            Some(_) | None => Ok((None, None)),
        }
    }

    /// Reads what the next fills will ask for if rules alone end positions: the memory answers to all of them at once,
    /// while each would be waited for if it were read when its turn comes.
    fn look_ahead(&mut self) {
        /// Their prices still lie near when they are filled.
        const ROUND_TRIPS: usize = 16;
        if self.next < self.looked_ahead {
            return;
        }
        let Candles { open, open_time, .. } = self.input.candles;
        let mut asked = 0;
        for _ in 0..ROUND_TRIPS {
            let entry = self.rules.next_entry(self.looked_ahead.max(self.next));
            let Some((entry, direction)) = entry else { break };
            let exit = self.rules.next_exit(direction, entry + 1).unwrap_or(open.len());
            for index in [entry + 1, exit + 1] {
                if let (Some(open), Some(time)) = (open.get(index), open_time.get(index)) {
                    asked ^= open.to_bits() ^ time.cast_unsigned();
                }
            }
            self.looked_ahead = exit + 1;
        }
        std::hint::black_box(asked);
    }

    /// Walks with a position up to `end`, unless a stop, a target or liquidation ends it before.
    fn hold(&mut self, held: &Held, end: usize) -> Result<bool, SimulationError> {
        while self.next < end {
            let chunk = self.next..end.min(self.next + PROGRESS_CANDLES);
            let touched = self.first_touch(held, chunk.clone());
            let marked = touched.map_or(chunk.end, |(index, _)| index);
            let from = self.equity.len();
            let closes = &self.input.candles.close[chunk.start..marked];
            self.equity.extend(closes.iter().map(|close| held.equity(*close)));
            let new = &self.equity[from..];
            if best(new, f64::INFINITY, smaller) <= 0.0
                && let Some(offset) = new.iter().position(|equity| *equity <= 0.0)
            {
                self.equity.truncate(from + offset);
                self.liquidate(held, chunk.start + offset)?;
                return Ok(false);
            }
            self.next = marked;
            self.follow_fall();
            if let Some((index, touch)) = touched {
                self.leave_at_touch(held, index, touch)?;
                return Ok(false);
            }
            self.progress()?;
        }
        Ok(true)
    }

    fn first_touch(&self, held: &Held, range: Range<usize>) -> Option<(usize, Touch)> {
        if held.stop_loss.is_none() && held.take_profit.is_none() {
            return None;
        }
        let candles = self.input.candles;
        let start = range.start;
        let (lower, upper) = match held.direction {
            Direction::Long => (held.stop_loss, held.take_profit),
            Direction::Short => (held.take_profit, held.stop_loss),
        };
        let (lower, upper) = (lower.unwrap_or(f64::NEG_INFINITY), upper.unwrap_or(f64::INFINITY));
        let mut rows = candles.low[range.clone()].iter().zip(&candles.high[range]);
        let offset = rows.position(|(low, high)| *low <= lower || *high >= upper)?;
        let index = start + offset;
        let (is_low, is_high) = (candles.low[index] <= lower, candles.high[index] >= upper);
        let (is_stop, is_target) = match held.direction {
            Direction::Long => (is_low, is_high),
            Direction::Short => (is_high, is_low),
        };
        Some((index, self.touch(held, candles.open[index], is_stop, is_target)?))
    }

    /// Which of the two a candle that opens at `open` fills, and at what price.
    fn touch(&self, held: &Held, open: f64, is_stop: bool, is_target: bool) -> Option<Touch> {
        let direction = held.direction;
        let stop = held.stop_loss.filter(|_| is_stop).map(|stop| {
            (levels::stop_fill(direction, open, stop), levels::is_gap(direction, open, stop))
        });
        let target = held.take_profit.filter(|_| is_target);
        let target = target.map(|target| levels::target_fill(direction, open, target));
        // An open beyond the stop has hit it before anything else could be.
        let is_ambiguous = target.is_some() && stop.is_some_and(|(_, is_gap)| !is_gap);
        match (stop, target) {
            (Some(_), Some(price)) if is_ambiguous && self.tie == Tie::TargetFirst => {
                Some(Touch { price, is_stop: false, is_ambiguous })
            }
            (Some((price, _)), _) => Some(Touch { price, is_stop: true, is_ambiguous }),
            (None, Some(price)) => Some(Touch { price, is_stop: false, is_ambiguous }),
            (None, None) => None,
        }
    }

    fn leave_at_touch(
        &mut self,
        held: &Held,
        index: usize,
        touch: Touch,
    ) -> Result<(), SimulationError> {
        let deal = if touch.is_stop {
            self.exit_deal(touch.price, held.direction, index, Reason::Named("stop_loss"))
        } else {
            let time = self.input.candles.open_time[index];
            let reason = Reason::Named("take_profit");
            Deal { price: touch.price, time, liquidity: Liquidity::Maker, reason }
        };
        self.leave(held, deal, touch.is_ambiguous)
    }

    /// Leaves at the market price of an order that is examined on candle `index`.
    fn leave_at_market(
        &mut self,
        held: &Held,
        index: usize,
        reason: Reason,
    ) -> Result<(), SimulationError> {
        let (price, index) = self.market(index);
        let deal = self.exit_deal(price, held.direction, index, reason);
        self.leave(held, deal, false)
    }

    fn leave(
        &mut self,
        held: &Held,
        deal: Deal,
        is_ambiguous: bool,
    ) -> Result<(), SimulationError> {
        self.close(held.number, deal, is_ambiguous)?;
        if self.is_ruined { self.mark_cash(self.input.candles.len()) } else { Ok(()) }
    }

    /// Equity at the close of `index` is nothing or less: what is held is sold there, and nothing follows.
    fn liquidate(&mut self, held: &Held, index: usize) -> Result<(), SimulationError> {
        self.next = index;
        self.is_ruined = true;
        let close = self.input.candles.close[index];
        let deal = self.exit_deal(close, held.direction, index, Reason::Named("liquidation"));
        self.leave(held, deal, false)
    }

    /// Enters at the market price of an order that is examined on candle `index`, or notes why not.
    fn enter(&mut self, entry: Entry, index: usize) -> Result<Option<Held>, SimulationError> {
        let Entry { signal, direction } = entry;
        let (price, index) = self.market(index);
        let fill_price = self.entry_price(price, direction, index);
        let booked_price = exact::round_f64(fill_price).ok_or_else(|| overflow("a price"))?;
        if booked_price <= Decimal::ZERO {
            self.reject(index, format!("a price of {booked_price} cannot be traded"));
            return Ok(None);
        }
        let config = &self.input.strategy.config;
        let stop_loss = levels::below(booked_price, config.stop_loss, direction)?;
        let take_profit = levels::above(booked_price, config.take_profit, direction)?;
        let offer = self.offer(price, booked_price, stop_loss, Liquidity::Taker)?;
        let quantity = match offer.quantity(config.sizing, &self.costs)? {
            Ok(quantity) => quantity,
            Err(reason) => {
                self.reject(index, reason);
                return Ok(None);
            }
        };
        let time = self.input.candles.open_time[index];
        let reason = Reason::Entry(direction, signal);
        let deal = Deal { price: fill_price, time, liquidity: Liquidity::Taker, reason };
        let number = self.open(direction, quantity, deal)?;
        let cash = self.portfolio.cash_real();
        let position = self.portfolio.position(number);
        let signed_quantity = position.map_or(0.0, |position| position.signed_quantity);
        Ok(Some(Held { number, direction, signed_quantity, cash, stop_loss, take_profit }))
    }

    /// Ends what is open, as the settings say; `pending` was placed on the last candle.
    fn end(&mut self, held: Option<Held>, pending: Option<Entry>) -> Result<(), SimulationError> {
        let last = self.input.candles.len() - 1;
        let reason = Reason::Named("end_of_data");
        let held = match (self.input.settings.finalize, held) {
            (Finalize::LeaveOpen, _) | (Finalize::Close, None) => return Ok(()),
            (Finalize::Close, Some(held)) => {
                let close = self.input.candles.close[last];
                self.leave(&held, self.exit_deal(close, held.direction, last, reason), false)?;
                None
            }
            // backtesting.py walks its queue once more over the last candle, closes first.
            (Finalize::Open, held) => {
                if let Some(held) = held {
                    self.leave_at_market(&held, last, reason)?;
                }
                match pending {
                    Some(entry) if !self.is_ruined => self.enter(entry, last)?,
                    Some(_) | None => None,
                }
            }
        };
        self.unmark_last();
        if let Some(held) = held {
            self.hold(&held, last + 1)?;
        }
        self.mark_cash(last + 1)
    }
}
