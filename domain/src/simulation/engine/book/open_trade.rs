//! An open trade of the book: its stop, its targets, and what a candle does to them.

use rust_decimal::Decimal;

use super::super::{Deal, Engine, Reason, Tie, levels, orders::Entry};
use crate::simulation::{
    SimulationError, error::overflow, exact, portfolio::costs::Liquidity, rules::Trailing,
    trade::Direction,
};

/// An open trade and what may end it.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) number: u32,
    pub(super) direction: Direction,
    pub(super) entry_price: f64,
    /// The candle that filled it.
    pub(super) entered: usize,
    /// The first candle whose high and low count.
    pub(super) from: usize,
    stop: Option<Stop>,
    target: Option<f64>,
    /// Targets that close a part, nearest first.
    parts: Vec<Part>,
    /// An exit at market that waits for the next candle.
    pub(super) due: Option<Due>,
    pub(super) is_closed: bool,
}

#[derive(Debug, Clone, Copy)]
struct Stop {
    level: f64,
    name: &'static str,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    level: f64,
    quantity: Decimal,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Due {
    /// Of what is held; none is all.
    pub(super) portion: Option<f64>,
    pub(super) reason: Reason,
}

/// One candle, or a finer one within it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range {
    pub(super) open: f64,
    pub(super) high: f64,
    pub(super) low: f64,
}

/// What a candle did to a trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Touched {
    Nothing,
    Something,
    /// Stop and target, and nothing was done: finer candles are to tell.
    Undecided,
}

impl Held {
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
        let trailed = match config.trailing_stop {
            None => None,
            Some(Trailing::Fraction(fraction)) => {
                levels::below(booked_price, Some(fraction), direction)?
            }
            Some(ranges @ Trailing::Ranges(_)) => {
                trail(ranges, entry_price, direction, engine.rules.range(entry.signal))
            }
        };
        let mut held = Self {
            number: 0,
            direction,
            entry_price,
            entered: 0,
            from: 0,
            stop: stop_loss.map(|level| Stop { level, name: "stop_loss" }),
            target: levels::above(booked_price, config.take_profit, direction)?,
            parts: Vec::new(),
            due: None,
            is_closed: false,
        };
        if let Some(level) = trailed {
            held.tighten(level, "trailing_stop");
        }
        Ok(held)
    }

    /// The targets that close a part of `quantity`.
    pub(super) fn split(
        &mut self,
        engine: &Engine<'_>,
        quantity: Decimal,
        price: Decimal,
    ) -> Result<(), SimulationError> {
        let mut portions = 0.0;
        for part in &engine.input.strategy.config.partial_take_profits {
            portions += part.portion;
            let level = levels::above(price, Some(part.distance), self.direction)?;
            // What closes the last of it leaves no lot behind.
            let is_last = portions > 1.0 - 1e-9;
            let part = if is_last { quantity } else { portion_of(engine, quantity, part.portion)? };
            self.parts.extend(level.map(|level| Part { level, quantity: part }));
        }
        Ok(())
    }

    pub(super) fn tighten(&mut self, level: f64, name: &'static str) {
        let is_tighter = |stop: Stop| levels::is_tighter(self.direction, level, stop.level);
        if self.stop.is_none_or(is_tighter) {
            self.stop = Some(Stop { level, name });
        }
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
        deal: Deal,
        is_ambiguous: bool,
    ) -> Result<(), SimulationError> {
        let whole = self.quantity(engine);
        match quantity {
            Some(quantity) if quantity < whole => {
                if quantity > Decimal::ZERO
                    && engine.is_worth_its_fee(self.direction, quantity, &deal)?
                {
                    engine.reduce(self.number, quantity, deal, is_ambiguous)?;
                }
                Ok(())
            }
            Some(_) | None => {
                self.is_closed = true;
                engine.close(self.number, deal, is_ambiguous)
            }
        }
    }

    pub(super) fn is_stopped(&self, bar: Range) -> bool {
        let stop = |stop: Stop| levels::is_stopped(self.direction, bar.low, bar.high, stop.level);
        self.stop.is_some_and(stop)
    }

    /// The nearest target that `bar` reaches: its level and the part that it closes, none for all.
    pub(super) fn reached(&self, bar: Range) -> Option<(f64, Option<Part>)> {
        let is_reached = |level: f64| levels::is_reached(self.direction, bar.low, bar.high, level);
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

    pub(super) fn touch(
        &mut self,
        engine: &mut Engine<'_>,
        bar: Range,
        index: usize,
        asks_finer: bool,
    ) -> Result<Touched, SimulationError> {
        let stop = self.stop.filter(|_| self.is_stopped(bar));
        let is_reached = self.reached(bar).is_some();
        let Some(stop) = stop else {
            if !is_reached {
                return Ok(Touched::Nothing);
            }
            self.take_targets(engine, bar, index, false)?;
            return Ok(Touched::Something);
        };
        // An open beyond the stop has hit it before anything else could be.
        let is_gap = levels::is_gap(self.direction, bar.open, stop.level);
        let is_ambiguous = is_reached && !is_gap;
        if is_ambiguous && asks_finer {
            return Ok(Touched::Undecided);
        }
        if is_ambiguous && engine.tie == Tie::TargetFirst {
            self.take_targets(engine, bar, index, true)?;
        }
        if !self.is_closed {
            let price = levels::stop_fill(self.direction, bar.open, stop.level);
            let deal = engine.exit_deal(price, self.direction, index, Reason::Named(stop.name));
            self.leave(engine, None, deal, is_ambiguous)?;
        }
        Ok(Touched::Something)
    }

    /// Fills every target that `bar` reaches, nearest first.
    pub(super) fn take_targets(
        &mut self,
        engine: &mut Engine<'_>,
        bar: Range,
        index: usize,
        is_ambiguous: bool,
    ) -> Result<(), SimulationError> {
        let time = engine.input.candles.open_time[index];
        while let Some((level, part)) = self.reached(bar).filter(|_| !self.is_closed) {
            let price = levels::target_fill(self.direction, bar.open, level);
            let reason = Reason::Named("take_profit");
            let deal = Deal { price, time, liquidity: Liquidity::Maker, reason };
            if part.is_some() {
                self.parts.remove(0);
            }
            self.leave(engine, part.map(|part| part.quantity), deal, is_ambiguous)?;
        }
        Ok(())
    }
}

/// Where a stop that trails `price` lies.
pub(super) fn trail(
    trailing: Trailing,
    price: f64,
    direction: Direction,
    range: Option<f64>,
) -> Option<f64> {
    let sign = levels::sign(direction);
    match trailing {
        Trailing::Fraction(fraction) => Some(price * (1.0 - sign * fraction)),
        Trailing::Ranges(multiple) => range.map(|range| price - sign * multiple * range),
    }
}

pub(super) fn range_of(engine: &Engine<'_>, index: usize) -> Range {
    let candles = engine.input.candles;
    Range { open: candles.open[index], high: candles.high[index], low: candles.low[index] }
}

/// `portion` of a quantity in whole lots, at least one; all of it where that is all.
pub(super) fn portion_of(
    engine: &Engine<'_>,
    quantity: Decimal,
    portion: f64,
) -> Result<Decimal, SimulationError> {
    let error = || overflow("a part of a trade");
    let wanted = quantity.checked_mul(exact::decimal(portion).ok_or_else(error)?);
    let lots = wanted.and_then(|wanted| wanted.checked_div(engine.lot)).ok_or_else(error)?;
    let part = lots.floor().max(Decimal::ONE).checked_mul(engine.lot).ok_or_else(error)?;
    Ok(part.min(quantity).normalize())
}
