//! Entry orders: what a rule asks for at the close of a candle, and when a candle fills it.

use super::{Engine, Reason};
use crate::simulation::{candles::Candles, rules::EntryOrder, trade::Direction};

/// An entry that waits for a candle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Entry {
    pub(super) direction: Direction,
    /// The candle at whose close it was placed.
    pub(super) signal: usize,
    pub(super) kind: Kind,
    /// The last candle that it is examined against.
    pub(super) valid_to: usize,
    pub(super) reason: Reason,
}

/// How an entry fills.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Market,
    Limit(f64),
    Stop(f64),
    StopLimit { stop: f64, limit: f64 },
}

/// A resting order met its price.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Filled {
    /// Before slippage and spread.
    pub(super) price: f64,
    pub(super) is_limit: bool,
}

impl Entry {
    /// The order that the strategy places at the close of `signal`, or why there is none.
    pub(super) fn place(
        engine: &Engine<'_>,
        direction: Direction,
        signal: usize,
    ) -> Result<Self, String> {
        let config = &engine.input.strategy.config;
        let close = engine.input.candles.close[signal];
        let rules = engine.rules;
        let upwards = match direction {
            Direction::Long => 1.0,
            Direction::Short => -1.0,
        };
        let level = |expression: Option<Option<f64>>, from: f64, offset: Option<f64>| {
            let by_offset = || offset.map(|offset| from * (1.0 + offset));
            let price = expression.unwrap_or_else(by_offset);
            price.filter(|price| *price > 0.0).ok_or_else(|| {
                "the price at which the entry waits is undefined or not above 0".to_owned()
            })
        };
        let price = |offset| level(rules.entry_price(direction, signal), close, offset);
        let kind = match config.entry_order {
            EntryOrder::Market => Kind::Market,
            EntryOrder::Limit { offset } => {
                Kind::Limit(price(offset.map(|offset| -upwards * offset))?)
            }
            EntryOrder::Stop { offset } => {
                Kind::Stop(price(offset.map(|offset| upwards * offset))?)
            }
            EntryOrder::StopLimit { offset, limit_offset } => {
                let stop = price(offset.map(|offset| upwards * offset))?;
                let limit_offset = limit_offset.map(|offset| upwards * offset);
                let limit = level(rules.entry_limit(direction, signal), stop, limit_offset)?;
                Kind::StopLimit { stop, limit }
            }
        };
        let valid_to = match kind {
            Kind::Market => signal + 1,
            Kind::Limit(_) | Kind::Stop(_) | Kind::StopLimit { .. } => {
                signal.saturating_add(config.entry_valid_candles)
            }
        };
        Ok(Self { direction, signal, kind, valid_to, reason: Reason::Entry(direction, signal) })
    }

    /// Whether candle `index` fills a resting order; a stop that it reaches turns a stop-limit order into a limit.
    pub(super) fn examine(&mut self, candles: &Candles, index: usize) -> Option<Filled> {
        let (open, high, low) = (candles.open[index], candles.high[index], candles.low[index]);
        // A short is a long upside down.
        let is_long = self.direction == Direction::Long;
        let is_beyond =
            |price: f64, level: f64| if is_long { price >= level } else { price <= level };
        let further = |one: f64, other: f64| if is_long { one.max(other) } else { one.min(other) };
        let better = |one: f64, other: f64| if is_long { one.min(other) } else { one.max(other) };
        let (best, worst) = if is_long { (low, high) } else { (high, low) };
        match self.kind {
            Kind::Market => None,
            Kind::Limit(limit) => is_beyond(limit, best)
                .then(|| Filled { price: better(open, limit), is_limit: true }),
            Kind::Stop(stop) => is_beyond(worst, stop)
                .then(|| Filled { price: further(open, stop), is_limit: false }),
            Kind::StopLimit { stop, limit } => {
                if !is_beyond(worst, stop) {
                    return None;
                }
                self.kind = Kind::Limit(limit);
                let triggered = further(open, stop);
                if is_beyond(limit, triggered) {
                    return Some(Filled { price: triggered, is_limit: true });
                }
                // The limit lies behind the trigger: it counts when the candle opened there, so that it came after.
                let came_after = is_beyond(open, stop) && is_beyond(limit, best);
                came_after.then_some(Filled { price: limit, is_limit: true })
            }
        }
    }
}
