//! Entry orders: what a rule requests at the close of a candle, and when a candle fills it.

use super::{
    Engine,
    fills::{FillContext, Reason},
    levels::{self, CandlePrices},
};
use crate::simulation::{
    candles::Candles, portfolio::costs::Liquidity, rules::EntryOrder, trade::Direction,
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
        let upwards = levels::sign(direction);
        let level = |expression: Option<Option<f64>>, from: f64, offset: Option<f64>| {
            let by_offset = || offset.map(|offset| from * (1.0 + offset));
            let price = expression.unwrap_or_else(by_offset);
            price.filter(|price| *price > 0.0).ok_or_else(|| {
                "the price at which the entry waits is undefined or not above 0".to_owned()
            })
        };
        let price = |offset| level(rules.entry_price(direction, signal), close, offset);
        let kind = match config.entry_order {
            EntryOrder::Market => EntryKind::Market,
            EntryOrder::Limit { offset } => {
                EntryKind::Limit(price(offset.map(|offset| -upwards * offset))?)
            }
            EntryOrder::Stop { offset } => {
                EntryKind::Stop(price(offset.map(|offset| upwards * offset))?)
            }
            EntryOrder::StopLimit { offset, limit_offset } => {
                let stop = price(offset.map(|offset| upwards * offset))?;
                let limit_offset = limit_offset.map(|offset| upwards * offset);
                let limit = level(rules.entry_limit(direction, signal), stop, limit_offset)?;
                EntryKind::StopLimit { stop, limit }
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
