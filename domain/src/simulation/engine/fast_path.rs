//! The walk for the common case, one trade at a time, entered at market: it jumps to the next entry, then to its exit.

use std::ops::Range;

use super::{
    Engine, IntrabarPriority,
    fills::{FillContext, PricedFill, Reason},
    finalize::{Holdings, needs_preset},
    levels::{self, BarrierHit, CandlePrices},
    progress::PROGRESS_CANDLES,
};
use crate::simulation::{
    Candles, SimulationError,
    equity::best,
    exact,
    indicators::{larger, smaller},
    portfolio::sizing::Refusal,
    rules::Sizing,
    trade::{Barriers, Direction},
};

/// An entry that a rule placed at the close of candle `signal`.
#[derive(Debug, Clone, Copy)]
struct PendingEntry {
    signal: usize,
    direction: Direction,
}

/// What is held, as real numbers.
#[derive(Debug, Clone, Copy)]
struct HeldTrade {
    number: u32,
    direction: Direction,
    signed_quantity: f64,
    cash: f64,
    stop_loss: Option<f64>,
    take_profit: Option<f64>,
}

/// What is open.
#[derive(Debug, Clone, Copy, Default)]
struct FastPath {
    held: Option<HeldTrade>,
}

/// Where a direction's price is kept.
const fn place(direction: Direction) -> usize {
    match direction {
        Direction::Long => 0,
        Direction::Short => 1,
    }
}

impl HeldTrade {
    fn equity(&self, close: f64) -> f64 {
        self.cash + self.signed_quantity * close
    }
}

/// Walks to the end and finalizes.
pub(super) fn walk(engine: &mut Engine<'_>) -> Result<(), SimulationError> {
    let len = engine.input.candles.len();
    let mut path = FastPath::default();
    while engine.next < len {
        path = match path.held {
            None => engine.leap_to_entry()?,
            Some(held) => engine.leap_to_exit(held)?,
        };
    }
    if engine.is_ruined { Ok(()) } else { engine.finalize(&mut path) }
}

impl Holdings for FastPath {
    fn close_all(
        &mut self,
        engine: &mut Engine<'_>,
        index: usize,
        name: &'static str,
    ) -> Result<(), SimulationError> {
        let Some(held) = self.held.take() else { return Ok(()) };
        let fill = engine.close_exit(held.direction, index, name);
        engine.close(held.number, fill, false)
    }

    fn examine_last(&mut self, _: &mut Engine<'_>, _: usize) -> Result<(), SimulationError> {
        Err(needs_preset())
    }
}

impl Engine<'_> {
    /// To the next entry that a rule places, and into it.
    fn leap_to_entry(&mut self) -> Result<FastPath, SimulationError> {
        let len = self.input.candles.len();
        let Some((signal, direction)) = self.rules.next_entry(self.next) else {
            self.mark_cash(len)?;
            return Ok(FastPath::default());
        };
        self.look_ahead();
        self.mark_cash(signal + 1)?;
        let entry = PendingEntry { signal, direction };
        if self.next == len {
            return Ok(FastPath::default());
        }
        Ok(FastPath { held: self.enter(entry, self.next)? })
    }

    /// To the trade's exit and, where the opposite entry is placed with it, into that.
    fn leap_to_exit(&mut self, held: HeldTrade) -> Result<FastPath, SimulationError> {
        let len = self.input.candles.len();
        let exit = self.rules.next_exit(held.direction, self.next);
        if !self.hold(&held, exit.map_or(len, |signal| signal + 1))? {
            return Ok(FastPath::default());
        }
        let Some(signal) = exit.filter(|_| self.next < len) else {
            return Ok(FastPath { held: Some(held) });
        };
        let direction = held.direction.opposite();
        let is_flipped = self.rules.is_entry(direction, signal);
        let reason = Reason::Exit(held.direction, signal);
        self.leave(&held, self.market_exit(held.direction, self.next, reason), false)?;
        if is_flipped && self.next < len {
            let entry = PendingEntry { signal, direction };
            return Ok(FastPath { held: self.enter(entry, self.next)? });
        }
        Ok(FastPath::default())
    }

    /// Reads what the next fills will need if only rules end positions: memory serves all of these reads in parallel,
    /// while reading each one when its turn comes would stall.
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

    /// Holds a trade up to `end`; false if a stop, a target or liquidation ends it before.
    fn hold(&mut self, held: &HeldTrade, end: usize) -> Result<bool, SimulationError> {
        while self.next < end {
            let chunk = self.next..end.min(self.next + PROGRESS_CANDLES);
            let hit = self.first_hit(held, chunk.clone());
            let marked = hit.map_or(chunk.end, |(index, _)| index);
            let from = self.equity.len();
            let closes = &self.input.candles.close[chunk.start..marked];
            self.equity.extend(closes.iter().map(|close| held.equity(*close)));
            let new = &self.equity[from..];
            if best(new, f64::INFINITY, smaller) <= 0.0
                && let Some(offset) = new.iter().position(|equity| *equity <= 0.0)
            {
                self.equity.truncate(from + offset);
                self.next = chunk.start + offset;
                self.mark(&mut FastPath { held: Some(*held) }, self.next)?;
                self.mark_cash(self.input.candles.len())?;
                return Ok(false);
            }
            self.next = marked;
            self.follow();
            if let Some((index, hit)) = hit {
                self.leave_at_barrier(held, index, hit)?;
                return Ok(false);
            }
            self.progress()?;
        }
        Ok(true)
    }

    /// The first candle of a range that reaches the stop or the target, and which.
    fn first_hit(&self, held: &HeldTrade, range: Range<usize>) -> Option<(usize, BarrierHit)> {
        if held.stop_loss.is_none() && held.take_profit.is_none() {
            return None;
        }
        /// So many candles are compared at once with both levels.
        const CHUNK: usize = 64;
        let candles = self.input.candles;
        let (lower, upper) = match held.direction {
            Direction::Long => (held.stop_loss, held.take_profit),
            Direction::Short => (held.take_profit, held.stop_loss),
        };
        let (lower, upper) = (lower.unwrap_or(f64::NEG_INFINITY), upper.unwrap_or(f64::INFINITY));
        let (lows, highs) = (&candles.low[range.clone()], &candles.high[range.clone()]);
        let mut chunks = lows.chunks(CHUNK).zip(highs.chunks(CHUNK));
        let chunk = chunks.position(|(lows, highs)| {
            best(lows, f64::INFINITY, smaller) <= lower
                || best(highs, f64::NEG_INFINITY, larger) >= upper
        })?;
        let from = chunk * CHUNK;
        let mut rows = lows[from..].iter().zip(&highs[from..]);
        let offset = rows.position(|(low, high)| *low <= lower || *high >= upper)?;
        let index = range.start + from + offset;
        let candle = CandlePrices::of(candles, index);
        let hit = BarrierHit::of(held.direction, candle, held.stop_loss, held.take_profit);
        Some((index, hit))
    }

    fn leave_at_barrier(
        &mut self,
        held: &HeldTrade,
        index: usize,
        hit: BarrierHit,
    ) -> Result<(), SimulationError> {
        let candle = CandlePrices::of(self.input.candles, index);
        let is_target = match hit {
            BarrierHit::Neither => return Ok(()),
            BarrierHit::Stop => false,
            BarrierHit::Target => true,
            BarrierHit::Ambiguous => self.priority == IntrabarPriority::TargetFirst,
        };
        let (stop, target) =
            (held.stop_loss.filter(|_| !is_target), held.take_profit.filter(|_| is_target));
        let stop =
            stop.map(|stop| self.stop_exit(held.direction, stop, "stop_loss", candle, index));
        let target = target.map(|target| self.target_exit(held.direction, target, candle, index));
        let Some(fill) = stop.or(target) else { return Ok(()) };
        self.leave(held, fill, hit == BarrierHit::Ambiguous)
    }

    fn leave(
        &mut self,
        held: &HeldTrade,
        fill: PricedFill,
        is_ambiguous: bool,
    ) -> Result<(), SimulationError> {
        self.close(held.number, fill, is_ambiguous)?;
        if self.is_ruined { self.mark_cash(self.input.candles.len()) } else { Ok(()) }
    }

    /// Whether an entry of the same cash did not pay for one lot at a price that was not higher, and nobody reads why. A
    /// strategy that has run out of money asks again on each candle.
    fn is_unaffordable(&self, context: &FillContext) -> bool {
        /// Beyond it a price may be more than can be counted.
        const PRICE_MAX: f64 = 1e12;
        let price = context.price;
        let is_budget = match self.input.strategy.config.sizing {
            Sizing::AllIn | Sizing::PercentOfEquity(_) | Sizing::FixedAmount(_) => true,
            Sizing::FixedQuantity(_) | Sizing::RiskPercentage(_) => false,
        };
        price >= self.unaffordable[place(context.direction)]
            && price < PRICE_MAX
            && is_budget
            && !self.costs.asks_for_ranges()
            && self.rejections.is_full()
    }

    /// Enters at the market price of an order that is examined on candle `index`, or notes why not.
    fn enter(
        &mut self,
        entry: PendingEntry,
        index: usize,
    ) -> Result<Option<HeldTrade>, SimulationError> {
        let PendingEntry { signal, direction } = entry;
        let context = self.market_entry(direction, Reason::Entry(direction, signal), index);
        if self.is_unaffordable(&context) {
            self.rejections.count += 1;
            return Ok(None);
        }
        let Some(admitted) = self.admit_entry(&context)? else { return Ok(None) };
        let config = &self.input.strategy.config;
        let booked_price = admitted.booked_price;
        let stop_loss = levels::below(booked_price, config.stop_loss, direction)?;
        let take_profit = levels::above(booked_price, config.take_profit, direction)?;
        let offer = self.offer(context.price, booked_price, stop_loss, context.liquidity)?;
        let quantity = offer.quantity(config.sizing, &self.costs);
        if quantity == Err(Refusal::TooLittle) {
            let from = &mut self.unaffordable[place(direction)];
            *from = from.min(context.price);
        }
        let quantity = self.admit_quantity(&context, &offer, quantity);
        let Some(quantity) = quantity else { return Ok(None) };
        let (stop_loss, take_profit) =
            (stop_loss.map(exact::to_f64), take_profit.map(exact::to_f64));
        let barriers = Barriers { stop: stop_loss, target: take_profit };
        let number = self.open(direction, quantity, admitted, barriers)?;
        self.unaffordable = [f64::INFINITY; 2];
        let cash = self.portfolio.cash_real();
        let signed_quantity = self.portfolio.net_quantity();
        Ok(Some(HeldTrade { number, direction, signed_quantity, cash, stop_loss, take_profit }))
    }
}
