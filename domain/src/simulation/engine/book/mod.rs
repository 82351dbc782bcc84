//! The order book of our own rules: what is held with its stops and targets, and entries that wait.

mod open_trade;

use rust_decimal::Decimal;

use self::open_trade::{Due, Held, Range, Touched, portion_of, range_of, trail};
use super::{
    Deal, Engine, Reason, levels,
    orders::{Entry, Filled, Kind},
};
use crate::simulation::{
    SimulationError,
    error::overflow,
    exact,
    portfolio::{costs::Liquidity, sizing::Offer},
    rules::{PositionMode, Sizing},
    settings::Intrabar,
    trade::Direction,
};

/// What is held, and what waits to be.
#[derive(Debug, Default)]
pub(super) struct Book {
    held: Vec<Held>,
    entries: Vec<Entry>,
}

impl Book {
    pub(super) fn is_idle(&self) -> bool {
        self.held.is_empty() && self.entries.is_empty()
    }

    /// Open trades of a direction.
    pub(super) fn count(&self, direction: Direction) -> usize {
        self.held.iter().filter(|held| held.direction == direction).count()
    }

    /// Places an entry; it takes the place of the one that waits, in hedging of the one of its direction.
    pub(super) fn enter(&mut self, entry: Entry, mode: PositionMode) {
        self.entries.retain(|waiting| {
            mode == PositionMode::Hedging && waiting.direction != entry.direction
        });
        self.entries.push(entry);
    }

    /// Leaves all trades of a direction at market; `portion` of each where it is given.
    pub(super) fn leave(&mut self, direction: Direction, portion: Option<f64>, reason: Reason) {
        for held in self.held.iter_mut().filter(|held| held.direction == direction) {
            held.due = Some(Due { portion, reason });
        }
    }

    /// Candle `index`: pending exits, pending entries, stops and targets, resting entries.
    pub(super) fn examine(
        &mut self,
        engine: &mut Engine<'_>,
        index: usize,
    ) -> Result<(), SimulationError> {
        for position in 0..self.held.len() {
            if let Some(due) = self.held[position].due.take() {
                self.leave_at_market(engine, position, due, index)?;
            }
        }
        self.forget_closed();
        // Who has nothing left enters nothing.
        let mut place = 0;
        while let Some(entry) = self.entries.get(place).copied().filter(|_| !engine.is_ruined) {
            if entry.kind != Kind::Market {
                place += 1;
                continue;
            }
            self.entries.remove(place);
            let (price, candle) = engine.market(index);
            let filled = Filled { price, is_limit: false };
            self.fill(engine, &entry, filled, candle, index)?;
        }
        for position in 0..self.held.len() {
            if self.held[position].from <= index {
                self.touch(engine, position, index)?;
            }
        }
        self.forget_closed();
        let mut place = 0;
        while let Some(entry) = self.entries.get_mut(place).filter(|_| !engine.is_ruined) {
            let Some(filled) = entry.examine(engine.input.candles, index) else {
                place += 1;
                continue;
            };
            let entry = self.entries.remove(place);
            self.fill(engine, &entry, filled, index, index)?;
        }
        self.forget_closed();
        Ok(())
    }

    /// The close of candle `index`: stops move up, entries lapse.
    pub(super) fn manage(&mut self, engine: &Engine<'_>, index: usize) {
        self.entries.retain(|entry| entry.valid_to > index);
        let config = &engine.input.strategy.config;
        let close = engine.input.candles.close[index];
        for held in &mut self.held {
            let trailed = config.trailing_stop.and_then(|trailing| {
                trail(trailing, close, held.direction, engine.rules.range(index))
            });
            if let Some(level) = trailed {
                held.tighten(level, "trailing_stop");
            }
            if let Some(gain) = config.break_even {
                let change = (close - held.entry_price) * levels::sign(held.direction);
                if change >= gain * held.entry_price {
                    held.tighten(held.entry_price, "break_even");
                }
            }
        }
    }

    /// After the rules: whoever was held long enough leaves.
    pub(super) fn time_out(&mut self, engine: &Engine<'_>, index: usize) {
        let Some(candles) = engine.input.strategy.config.max_candles else { return };
        for held in &mut self.held {
            let is_whole = held.due.is_some_and(|due| due.portion.is_none());
            if !is_whole && index + 1 - held.entered >= candles {
                held.due = Some(Due { portion: None, reason: Reason::Named("time_stop") });
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
        self.entries.clear();
        let close = engine.input.candles.close[index];
        for held in std::mem::take(&mut self.held) {
            let deal = engine.exit_deal(close, held.direction, index, Reason::Named(name));
            engine.close(held.number, deal, false)?;
        }
        Ok(())
    }

    /// Leaves everything at market on the next examination.
    pub(super) fn leave_all(&mut self, name: &'static str) {
        for held in &mut self.held {
            held.due = Some(Due { portion: None, reason: Reason::Named(name) });
        }
    }

    fn forget_closed(&mut self) {
        self.held.retain(|held| !held.is_closed);
    }

    fn leave_at_market(
        &mut self,
        engine: &mut Engine<'_>,
        position: usize,
        due: Due,
        index: usize,
    ) -> Result<(), SimulationError> {
        let held = &mut self.held[position];
        let (price, candle) = engine.market(index);
        let deal = engine.exit_deal(price, held.direction, candle, due.reason);
        let quantity = match due.portion {
            None => None,
            Some(portion) => Some(portion_of(engine, held.quantity(engine), portion)?),
        };
        held.leave(engine, quantity, deal, false)
    }

    /// Fills an entry at `filled` on candle `candle`, while candle `index` is examined.
    fn fill(
        &mut self,
        engine: &mut Engine<'_>,
        entry: &Entry,
        filled: Filled,
        candle: usize,
        index: usize,
    ) -> Result<(), SimulationError> {
        let direction = entry.direction;
        let liquidity = if filled.is_limit { Liquidity::Maker } else { Liquidity::Taker };
        let price = if filled.is_limit {
            filled.price
        } else {
            engine.entry_price(filled.price, direction, candle)
        };
        let booked_price = exact::round_f64(price).ok_or_else(|| overflow("a price"))?;
        if booked_price <= Decimal::ZERO {
            engine.reject(candle, format!("a price of {booked_price} cannot be traded"));
            return Ok(());
        }
        let time = engine.input.candles.open_time[candle];
        let deal = Deal { price, time, liquidity, reason: entry.reason };
        let (mut held, quantity) =
            match self.size(engine, entry, filled, booked_price, candle, deal)? {
                Ok(sized) => sized,
                Err(reason) => {
                    engine.reject(candle, reason);
                    return Ok(());
                }
            };
        if quantity.is_zero() {
            return Ok(());
        }
        held.number = engine.open(direction, quantity, deal)?;
        held.entered = index;
        held.from = if entry.kind == Kind::Market { index } else { index + 1 };
        held.split(engine, quantity, booked_price)?;
        let bar = range_of(engine, index);
        // A stop entry and its target lie in the same direction: the target came after.
        let is_same_way = matches!(entry.kind, Kind::Stop(_)) && !held.is_stopped(bar);
        if is_same_way {
            held.take_targets(engine, bar, index, false)?;
        }
        self.held.push(held);
        Ok(())
    }

    /// What is opened and how much of it, after what the position mode closes.
    fn size(
        &mut self,
        engine: &mut Engine<'_>,
        entry: &Entry,
        filled: Filled,
        booked_price: Decimal,
        candle: usize,
        deal: Deal,
    ) -> Result<Result<(Held, Decimal), String>, SimulationError> {
        let config = &engine.input.strategy.config;
        let direction = entry.direction;
        let held = Held::new(engine, entry, booked_price)?;
        let stop_loss = levels::below(booked_price, config.stop_loss, direction)?;
        let offer = |engine: &Engine<'_>| {
            engine.offer(filled.price, booked_price, stop_loss, deal.liquidity)
        };
        let has_opposite = self.count(direction.opposite()) > 0;
        let quantity = match config.position_mode {
            PositionMode::Exclusive if has_opposite => {
                self.close_opposite(engine, entry, filled, candle, None)?;
                self.forget_closed();
                offer(engine)?.quantity(config.sizing, &engine.costs)?
            }
            PositionMode::Netting if has_opposite => {
                let mut generous = offer(engine)?;
                generous.funds.free = generous.funds.equity;
                let wanted = generous.wanted_lots(config.sizing, &engine.costs)?;
                if wanted.is_zero() {
                    return Ok(Err(generous.too_little()));
                }
                let rest = self.close_opposite(engine, entry, filled, candle, Some(wanted))?;
                self.forget_closed();
                if rest.is_zero() { Ok(rest) } else { rest_of(engine, &offer(engine)?, rest)? }
            }
            PositionMode::Single
            | PositionMode::Exclusive
            | PositionMode::Netting
            | PositionMode::Hedging => offer(engine)?.quantity(config.sizing, &engine.costs)?,
        };
        Ok(quantity.map(|quantity| (held, quantity)))
    }

    /// Closes the other direction, oldest first, up to `wanted`; what is left of that.
    fn close_opposite(
        &mut self,
        engine: &mut Engine<'_>,
        entry: &Entry,
        filled: Filled,
        candle: usize,
        wanted: Option<Decimal>,
    ) -> Result<Decimal, SimulationError> {
        let mut left = wanted;
        for held in self.held.iter_mut().filter(|held| held.direction != entry.direction) {
            if left.is_some_and(|left| left.is_zero()) {
                break;
            }
            let mut deal = engine.exit_deal(filled.price, held.direction, candle, entry.reason);
            if filled.is_limit {
                deal = Deal { price: filled.price, liquidity: Liquidity::Maker, ..deal };
            }
            let quantity = held.quantity(engine);
            held.leave(engine, left, deal, false)?;
            left = left.map(|left| (left - quantity).max(Decimal::ZERO));
        }
        Ok(left.unwrap_or_default())
    }

    /// Stops and targets of one trade against candle `index`, by finer candles where they are needed.
    fn touch(
        &mut self,
        engine: &mut Engine<'_>,
        position: usize,
        index: usize,
    ) -> Result<(), SimulationError> {
        let held = &mut self.held[position];
        let bar = range_of(engine, index);
        let asks_finer = engine.input.settings.intrabar == Intrabar::LowerTimeframe;
        let fine = engine.input.fine.filter(|_| asks_finer);
        if held.touch(engine, bar, index, fine.is_some())? != Touched::Undecided {
            return Ok(());
        }
        let mut is_told = false;
        if let Some(fine) = fine {
            let start = engine.input.candles.open_time[index];
            let end = start + engine.input.timeframe.duration_ms();
            let first = fine.open_time.partition_point(|time| *time < start);
            let finer = fine.open_time[first..].iter().take_while(|time| **time < end).count();
            for row in first..first + finer {
                let (open, high, low) = (fine.open[row], fine.high[row], fine.low[row]);
                let touched = held.touch(engine, Range { open, high, low }, index, false)?;
                is_told |= touched == Touched::Something;
                if held.is_closed {
                    break;
                }
            }
        }
        if !is_told {
            held.touch(engine, bar, index, false)?;
        }
        Ok(())
    }
}

/// What of `rest` can be paid for: all of it or, where the sizing spends what there is, that.
fn rest_of(
    engine: &Engine<'_>,
    offer: &Offer,
    rest: Decimal,
) -> Result<Result<Decimal, String>, SimulationError> {
    let sizing = engine.input.strategy.config.sizing;
    match sizing {
        Sizing::AllIn | Sizing::PercentOfEquity(_) | Sizing::FixedAmount(_) => {
            let affordable = offer.quantity(sizing, &engine.costs)?;
            Ok(affordable.map(|affordable| affordable.min(rest)))
        }
        Sizing::FixedQuantity(_) | Sizing::RiskPercentage(_) => offer.payable(rest, &engine.costs),
    }
}
