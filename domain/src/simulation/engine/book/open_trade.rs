//! An open trade of the book: its stop, its targets, and how a candle affects them.

use rust_decimal::Decimal;

use super::super::{
    Engine, IntrabarPriority,
    entries::Entry,
    fills::{PricedFill, Reason},
    levels::{self, BarrierHit, CandlePrices},
};
use crate::simulation::{
    SimulationError,
    error::overflow,
    exact,
    indicators::{larger, smaller},
    rules::Trailing,
    trade::{Barriers, Direction},
};

/// An open trade and what may end it.
#[derive(Debug)]
pub(super) struct OpenTrade {
    pub(super) number: u32,
    pub(super) direction: Direction,
    entry_price: f64,
    /// The candle that filled it.
    pub(super) entered: usize,
    /// The first candle whose high and low count.
    pub(super) from: usize,
    stop: Option<Stop>,
    /// The best price from which a stop that trails by a fraction was measured; `None` without one.
    pub(super) extreme: Option<f64>,
    /// The close at which the stop moves to the entry; `None` after that.
    pub(super) break_even: Option<f64>,
    target: Option<f64>,
    /// Targets that close a part, nearest first.
    parts: Vec<PartTarget>,
    /// An exit at market that waits for the next candle.
    pub(super) pending_exit: Option<PendingExit>,
    pub(super) is_closed: bool,
}

#[derive(Debug, Clone, Copy)]
struct Stop {
    level: f64,
    name: &'static str,
}

#[derive(Debug, Clone, Copy)]
struct PartTarget {
    level: f64,
    quantity: Decimal,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct PendingExit {
    /// Of what is held; `None` is all.
    pub(super) portion: Option<Decimal>,
    pub(super) reason: Reason,
}

/// What a candle did to a trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Examined {
    Untouched,
    Filled,
    /// It reached stop and target and does not tell which came first: finer candles are to.
    Undecided,
}

/// Where stops of a direction trail a close. The level is the same for all of them, and made for the first that asks.
#[derive(Debug)]
pub(super) struct Trail {
    trailing: Option<Trailing>,
    close: f64,
    direction: Direction,
    /// The average true range there.
    range: Option<f64>,
    level: Option<f64>,
}

impl Trail {
    pub(super) fn of(
        trailing: Option<Trailing>,
        close: f64,
        direction: Direction,
        range: Option<f64>,
    ) -> Self {
        Self { trailing, close, direction, range, level: None }
    }

    /// Whether a stop that trails by ranges would be tighter, before its level is rounded.
    pub(super) fn may_tighten(&self, is_tightened_by: impl FnOnce(f64) -> bool) -> bool {
        match (self.trailing, self.range) {
            (Some(Trailing::Ranges(multiple)), Some(range)) => {
                let level = levels::trail_by_range(self.close, multiple, range, self.direction);
                is_tightened_by(level)
            }
            (Some(Trailing::Ranges(_)), None) | (Some(Trailing::Fraction(_)) | None, _) => false,
        }
    }

    fn level(&mut self) -> Result<Option<f64>, SimulationError> {
        if self.level.is_none() {
            let Self { trailing, close, direction, range, .. } = *self;
            self.level = match (trailing, range) {
                (Some(Trailing::Fraction(fraction)), _) => {
                    let close = exact::written(close).ok_or_else(|| overflow("a close"))?;
                    levels::below(close, Some(fraction), direction)?.map(exact::to_f64)
                }
                (Some(Trailing::Ranges(multiple)), Some(range)) => {
                    Some(by_range(close, multiple, range, direction)?)
                }
                (Some(Trailing::Ranges(_)) | None, _) => None,
            };
        }
        Ok(self.level)
    }
}

impl OpenTrade {
    /// An entry's trade, before it has a number.
    pub(super) fn new(
        engine: &Engine<'_>,
        entry: &Entry,
        booked_price: Decimal,
    ) -> Result<Self, SimulationError> {
        let config = &engine.input.strategy.config;
        let direction = entry.direction;
        let stop_loss = levels::below(booked_price, config.stop_loss, direction)?;
        let entry_price = exact::to_f64(booked_price);
        let break_even = levels::above(booked_price, config.break_even, direction)?;
        let target = levels::above(booked_price, config.take_profit, direction)?;
        let trailed = match config.trailing_stop {
            None => None,
            Some(Trailing::Fraction(fraction)) => {
                levels::below(booked_price, Some(fraction), direction)?.map(exact::to_f64)
            }
            Some(Trailing::Ranges(multiple)) => {
                let range = engine.rules.range(entry.signal);
                range.map(|range| by_range(entry_price, multiple, range, direction)).transpose()?
            }
        };
        let mut trade = Self {
            number: 0,
            direction,
            entry_price,
            entered: 0,
            from: 0,
            stop: stop_loss.map(|level| Stop { level: exact::to_f64(level), name: "stop_loss" }),
            extreme: matches!(config.trailing_stop, Some(Trailing::Fraction(_)))
                .then_some(entry_price),
            break_even: break_even.map(exact::to_f64),
            target: target.map(exact::to_f64),
            parts: Vec::new(),
            pending_exit: None,
            is_closed: false,
        };
        if let Some(level) = trailed {
            trade.tighten(level, "trailing_stop");
        }
        Ok(trade)
    }

    /// The targets that close a part of `quantity`.
    pub(super) fn split(
        &mut self,
        engine: &Engine<'_>,
        quantity: Decimal,
        price: Decimal,
    ) -> Result<(), SimulationError> {
        let mut portions = Decimal::ZERO;
        for part in &engine.input.strategy.config.partial_take_profits {
            portions += part.portion;
            let level = levels::above(price, Some(part.distance), self.direction)?;
            // What closes the last of it leaves no lot behind.
            let is_last = portions == Decimal::ONE;
            let part = if is_last { quantity } else { portion_of(engine, quantity, part.portion)? };
            let part =
                level.map(|level| PartTarget { level: exact::to_f64(level), quantity: part });
            self.parts.extend(part);
        }
        Ok(())
    }

    /// A close: the stop may move, never back.
    pub(super) fn manage(&mut self, trail: &mut Trail, close: f64) -> Result<(), SimulationError> {
        self.trail(trail, close)?;
        let side = self.direction.exit_side();
        if self.break_even.is_some_and(|level| levels::is_limit_met(side, close, level)) {
            self.break_even = None;
            self.tighten(self.entry_price, "break_even");
        }
        Ok(())
    }

    fn trail(&mut self, trail: &mut Trail, close: f64) -> Result<(), SimulationError> {
        let is_new = match trail.trailing {
            None => false,
            Some(Trailing::Fraction(_)) => {
                let is_better = |extreme| levels::is_tighter(self.direction, close, extreme);
                let is_new = self.extreme.is_none_or(is_better);
                if is_new {
                    self.extreme = Some(close);
                }
                is_new
            }
            Some(Trailing::Ranges(_)) => trail.may_tighten(|level| self.is_tightened_by(level)),
        };
        if is_new && let Some(level) = trail.level()? {
            self.tighten(level, "trailing_stop");
        }
        Ok(())
    }

    /// The highest price below and the lowest above the trade at which a stop or a target lies.
    pub(super) fn reach(&self) -> (f64, f64) {
        let target = self.parts.first().map(|part| part.level).into_iter().chain(self.target);
        match self.direction {
            Direction::Long => (
                self.stop_level().unwrap_or(f64::NEG_INFINITY),
                target.fold(f64::INFINITY, smaller),
            ),
            Direction::Short => {
                (target.fold(f64::NEG_INFINITY, larger), self.stop_level().unwrap_or(f64::INFINITY))
            }
        }
    }

    pub(super) fn stop_level(&self) -> Option<f64> {
        self.stop.map(|stop| stop.level)
    }

    fn is_tightened_by(&self, level: f64) -> bool {
        self.stop.is_none_or(|stop| levels::is_tighter(self.direction, level, stop.level))
    }

    fn tighten(&mut self, level: f64, name: &'static str) {
        if self.is_tightened_by(level) {
            self.stop = Some(Stop { level, name });
        }
    }

    /// Where it is to be left, by now.
    pub(super) fn barriers(&self) -> Barriers {
        Barriers { stop: self.stop.map(|stop| stop.level), target: self.target }
    }

    pub(super) fn quantity(&self, engine: &Engine<'_>) -> Decimal {
        let position = engine.portfolio.position(self.number);
        position.map_or(Decimal::ZERO, |position| position.quantity)
    }

    /// Leaves with `quantity`, or with all; a part that brings less than its fee stays.
    pub(super) fn leave(
        &mut self,
        engine: &mut Engine<'_>,
        quantity: Option<Decimal>,
        fill: PricedFill,
        is_ambiguous: bool,
    ) -> Result<(), SimulationError> {
        let whole = self.quantity(engine);
        match quantity {
            Some(quantity) if quantity < whole => {
                if quantity > Decimal::ZERO
                    && engine.is_worth_its_fee(self.direction, quantity, &fill)?
                {
                    engine.reduce(self.number, quantity, fill, is_ambiguous)?;
                }
                Ok(())
            }
            Some(_) | None => {
                self.is_closed = true;
                engine.close(self.number, fill, is_ambiguous)
            }
        }
    }

    pub(super) fn is_stopped(&self, candle: CandlePrices) -> bool {
        let side = self.direction.exit_side();
        self.stop.is_some_and(|stop| levels::is_stop_hit(side, candle, stop.level))
    }

    /// The nearest target that `candle` reaches: its level and the part that it closes, none for all.
    fn reached(&self, candle: CandlePrices) -> Option<(f64, Option<PartTarget>)> {
        let side = self.direction.exit_side();
        let is_reached = |level: f64| levels::is_limit_hit(side, candle, level);
        let target = self.target.filter(|level| is_reached(*level));
        let part = self.parts.first().filter(|part| is_reached(part.level));
        match (part, target) {
            (Some(part), Some(target))
                if levels::is_tighter(self.direction, part.level, target) =>
            {
                Some((target, None))
            }
            (Some(part), _) => Some((part.level, Some(*part))),
            (None, target) => target.map(|target| (target, None)),
        }
    }

    fn hit_by(&self, candle: CandlePrices) -> BarrierHit {
        let stop = self.stop.map(|stop| stop.level);
        let target = self.reached(candle).map(|(level, _)| level);
        BarrierHit::of(self.direction, candle, stop, target)
    }

    /// Fills what `candle`, or a finer one within candle `index`, reaches.
    pub(super) fn examine(
        &mut self,
        engine: &mut Engine<'_>,
        candle: CandlePrices,
        index: usize,
        asks_finer: bool,
    ) -> Result<Examined, SimulationError> {
        let mut hit = self.hit_by(candle);
        if hit == BarrierHit::Neither {
            return Ok(Examined::Untouched);
        }
        if hit == BarrierHit::Target {
            // Each target that the open has passed was reached before the stop could be.
            self.take_targets(engine, candle.at_open(), index, false)?;
            hit = self.hit_by(candle);
            if self.is_closed || hit == BarrierHit::Neither {
                return Ok(Examined::Filled);
            }
        }
        let is_ambiguous = hit == BarrierHit::Ambiguous;
        if is_ambiguous && asks_finer {
            return Ok(Examined::Undecided);
        }
        let is_target_first = is_ambiguous && engine.priority == IntrabarPriority::TargetFirst;
        if hit == BarrierHit::Target || is_target_first {
            self.take_targets(engine, candle, index, is_ambiguous)?;
        }
        if let Some(stop) = self.stop.filter(|_| hit != BarrierHit::Target && !self.is_closed) {
            let fill = engine.stop_exit(self.direction, stop.level, stop.name, candle, index);
            self.leave(engine, None, fill, is_ambiguous)?;
        }
        Ok(Examined::Filled)
    }

    /// Fills every target that `candle` reaches, nearest first.
    pub(super) fn take_targets(
        &mut self,
        engine: &mut Engine<'_>,
        candle: CandlePrices,
        index: usize,
        is_ambiguous: bool,
    ) -> Result<(), SimulationError> {
        while let Some((level, part)) = self.reached(candle).filter(|_| !self.is_closed) {
            let fill = engine.target_exit(self.direction, level, candle, index);
            if part.is_some() {
                self.parts.remove(0);
            }
            self.leave(engine, part.map(|part| part.quantity), fill, is_ambiguous)?;
        }
        Ok(())
    }
}

/// The level of a stop that trails by the average true range.
fn by_range(
    price: f64,
    multiple: f64,
    range: f64,
    direction: Direction,
) -> Result<f64, SimulationError> {
    let level = exact::price(levels::trail_by_range(price, multiple, range, direction));
    level.map(exact::to_f64).ok_or_else(|| overflow("a stop"))
}

/// `portion` of a quantity in whole lots, at least one; all of it where that is all.
pub(super) fn portion_of(
    engine: &Engine<'_>,
    quantity: Decimal,
    portion: Decimal,
) -> Result<Decimal, SimulationError> {
    let part = exact::whole_units(quantity, portion, engine.lot);
    let part = part.ok_or_else(|| overflow("a part of a trade"))?;
    Ok(part.max(engine.lot).min(quantity).normalize())
}
