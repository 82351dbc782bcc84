//! The nearest prices at which anything happens to any of the open trades: while a candle stays within them, the trades
//! need not be looked at one by one.

use super::open_trade::OpenTrade;
use crate::simulation::{
    engine::levels::{CandlePrices, sign},
    indicators::{larger, smaller},
    trade::Direction,
};

/// What surrounds all open trades. After one is gone it may be too narrow, which costs a look at each, and no more.
#[derive(Debug, Clone, Copy)]
pub(super) struct Envelope {
    /// The highest stop of a long or target of a short.
    low: f64,
    /// The lowest target of a long or stop of a short.
    high: f64,
    long: Closes,
    short: Closes,
}

/// The closes at which a stop of one direction moves. All are prices times the direction's sign, so that higher is better.
#[derive(Debug, Clone, Copy)]
struct Closes {
    /// Above it, some trailing stop is measured anew.
    extreme: f64,
    /// From it on, some stop moves to its entry.
    break_even: f64,
    /// The loosest stop: a tighter one tightens it.
    stop: f64,
}

impl Envelope {
    /// Around nothing.
    pub(super) const NOTHING: Self = Self {
        low: f64::NEG_INFINITY,
        high: f64::INFINITY,
        long: Closes::NOTHING,
        short: Closes::NOTHING,
    };

    /// So narrow that every candle leaves it.
    #[cfg(test)]
    pub(super) const NO_ROOM: Self = Self {
        low: f64::INFINITY,
        high: f64::NEG_INFINITY,
        long: Closes::NO_ROOM,
        short: Closes::NO_ROOM,
    };

    /// With all of these trades.
    pub(super) fn around(self, trades: &[OpenTrade]) -> Self {
        trades.iter().fold(self, Self::with)
    }

    /// With one more trade.
    pub(super) fn with(self, trade: &OpenTrade) -> Self {
        let (low, high) = trade.reach();
        let around = Self { low: larger(self.low, low), high: smaller(self.high, high), ..self };
        match trade.direction {
            Direction::Long => Self { long: self.long.with(trade), ..around },
            Direction::Short => Self { short: self.short.with(trade), ..around },
        }
    }

    /// Whether a candle may reach a stop or a target.
    pub(super) fn is_reached(&self, candle: CandlePrices) -> bool {
        candle.low <= self.low || candle.high >= self.high
    }

    /// Whether a stop of that direction may move at a close: to its entry, or behind a new extreme.
    pub(super) fn is_passed(&self, direction: Direction, close: f64) -> bool {
        let (closes, close) = (self.closes(direction), sign(direction) * close);
        close > closes.extreme || close >= closes.break_even
    }

    /// Whether a stop of that direction at `level` would be tighter than one that there is.
    pub(super) fn is_tightened_by(&self, direction: Direction, level: f64) -> bool {
        sign(direction) * level > self.closes(direction).stop
    }

    fn closes(&self, direction: Direction) -> &Closes {
        match direction {
            Direction::Long => &self.long,
            Direction::Short => &self.short,
        }
    }
}

impl Closes {
    const NOTHING: Self =
        Self { extreme: f64::INFINITY, break_even: f64::INFINITY, stop: f64::INFINITY };

    #[cfg(test)]
    const NO_ROOM: Self =
        Self { extreme: f64::NEG_INFINITY, break_even: f64::NEG_INFINITY, stop: f64::NEG_INFINITY };

    fn with(self, trade: &OpenTrade) -> Self {
        let signed = |price: Option<f64>| price.map(|price| sign(trade.direction) * price);
        let close = |price: Option<f64>| signed(price).unwrap_or(f64::INFINITY);
        let stop = signed(trade.stop_level()).unwrap_or(f64::NEG_INFINITY);
        Self {
            extreme: smaller(self.extreme, close(trade.extreme)),
            break_even: smaller(self.break_even, close(trade.break_even)),
            stop: smaller(self.stop, stop),
        }
    }
}
