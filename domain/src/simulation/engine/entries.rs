//! Entry orders: what a rule requests at the close of a candle, and when a candle fills it.

use super::{
    Engine,
    fills::{FillContext, Reason},
    levels::{self, CandlePrices},
};
use rust_decimal::Decimal;

use crate::simulation::{
    candles::Candles, exact, portfolio::costs::Liquidity, rules::EntryOrder, settings::Preset,
    trade::Direction,
};

/// An entry that waits for a candle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Entry {
    pub(super) direction: Direction,
    /// The candle at whose close it was placed.
    pub(super) signal: usize,
    pub(super) kind: EntryKind,
    /// The last candle that it is examined against.
    pub(super) valid_to: usize,
    pub(super) reason: Reason,
}

/// How an entry fills.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum EntryKind {
    Market,
    Limit(f64),
    Stop(f64),
    StopLimit { stop: f64, limit: f64 },
}

/// A price at which an entry may wait, as it is compared with candles, and its digits if it was rounded.
#[derive(Debug, Clone, Copy)]
struct RestingLevel {
    real: f64,
    rounded: Option<Decimal>,
}

impl RestingLevel {
    fn at(real: f64) -> Self {
        Self { real, rounded: None }
    }

    /// `None` if it overflowed.
    fn of(level: Option<Decimal>) -> Option<Self> {
        Some(Self { real: exact::to_f64(level?), rounded: level })
    }
}

/// The level that the strategy's expression names or, without one, the one that far from another, above it for a long;
/// or why there is none. backtesting.py rounds neither.
fn level(
    by_rule: Option<Option<f64>>,
    from: RestingLevel,
    offset: Option<Decimal>,
    towards: Direction,
    preset: Preset,
) -> Result<RestingLevel, String> {
    let level = match (by_rule, offset, preset) {
        (Some(price), _, Preset::BacktestingPy) => price.map(RestingLevel::at),
        (Some(price), _, Preset::Backtrail) => {
            price.and_then(|price| RestingLevel::of(exact::price(price)))
        }
        (None, Some(offset), Preset::BacktestingPy) => {
            Some(RestingLevel::at(levels::above_real(from.real, offset, towards)))
        }
        (None, Some(offset), Preset::Backtrail) => {
            let from = from.rounded.or_else(|| exact::written(from.real));
            RestingLevel::of(from.and_then(|from| levels::offset(from, offset, towards)))
        }
        (None, None, _) => None,
    };
    level.filter(|level| level.real > 0.0).ok_or_else(|| {
        "the price at which the entry waits is undefined, not above 0 or too large".to_owned()
    })
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
        let (rules, preset) = (engine.rules, engine.input.settings.preset);
        let backwards = direction.opposite();
        let price = |offset, towards| {
            let by_rule = rules.entry_price(direction, signal);
            level(by_rule, RestingLevel::at(close), offset, towards, preset)
        };
        let kind = match config.entry_order {
            EntryOrder::Market => EntryKind::Market,
            EntryOrder::Limit { offset } => EntryKind::Limit(price(offset, backwards)?.real),
            EntryOrder::Stop { offset } => EntryKind::Stop(price(offset, direction)?.real),
            EntryOrder::StopLimit { offset, limit_offset } => {
                let stop = price(offset, direction)?;
                let by_rule = rules.entry_limit(direction, signal);
                let limit = level(by_rule, stop, limit_offset, direction, preset)?;
                EntryKind::StopLimit { stop: stop.real, limit: limit.real }
            }
        };
        let valid_to = match kind {
            EntryKind::Market => signal + 1,
            EntryKind::Limit(_) | EntryKind::Stop(_) | EntryKind::StopLimit { .. } => {
                signal.saturating_add(config.entry_valid_candles)
            }
        };
        Ok(Self { direction, signal, kind, valid_to, reason: Reason::Entry(direction, signal) })
    }

    /// How candle `index` fills a resting order, if it does; a stop that it reaches turns a stop-limit order into a limit
    /// order.
    pub(super) fn examine(&mut self, candles: &Candles, index: usize) -> Option<FillContext> {
        let candle = CandlePrices::of(candles, index);
        let side = self.direction.entry_side();
        let (price, liquidity) = match self.kind {
            EntryKind::Market => return None,
            EntryKind::Limit(limit) => {
                if !levels::is_limit_hit(side, candle, limit) {
                    return None;
                }
                (levels::limit_fill(side, candle.open, limit), Liquidity::Maker)
            }
            EntryKind::Stop(stop) => {
                if !levels::is_stop_hit(side, candle, stop) {
                    return None;
                }
                (levels::stop_fill(side, candle.open, stop), Liquidity::Taker)
            }
            EntryKind::StopLimit { stop, limit } => {
                if !levels::is_stop_hit(side, candle, stop) {
                    return None;
                }
                self.kind = EntryKind::Limit(limit);
                (levels::stop_limit_fill(side, candle, stop, limit)?, Liquidity::Maker)
            }
        };
        let Self { direction, reason, .. } = *self;
        Some(FillContext { direction, reason, price, liquidity, candle: index, index })
    }
}
