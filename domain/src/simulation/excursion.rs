//! How far prices went against and with a trade while it was held: its maximum adverse and favorable excursion.
//!
//! Of the entry's candle everything counts if the trade filled at its open, of the exit's candle everything if it left at
//! its close; else the open, if it was held there, and the price of the fill.

use super::{
    Candles,
    equity::best,
    exact,
    indicators::{larger, smaller},
    trade::{Direction, FillPlace, Moment, Trade},
};

/// What a trade saw from its entry to its exit, or to the last candle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Excursion {
    /// Candles from the entry's to the exit's, both included; 0 if `finalize = "open"` stamps the exit before.
    pub candles_count: u32,
    /// How far prices went against it, as a fraction of the entry price; 0 or more.
    pub max_adverse: f64,
    /// As `max_adverse`, in its favor.
    pub max_favorable: f64,
}

/// A trade as far as its excursion is concerned.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    pub(crate) direction: Direction,
    pub(crate) entry_price: f64,
    pub(crate) entered: FillPlace,
}

impl Trade {
    /// Its excursion over the candles of the run, warm-up included; up to the last one while it is open.
    #[must_use]
    pub fn excursion(&self, candles: &Candles) -> Excursion {
        let held = Held {
            direction: self.direction,
            entry_price: exact::to_f64(self.entry.price),
            entered: self.entered,
        };
        let exit = self.exit.as_ref().zip(self.exited);
        held.excursion(exit.map(|(fill, place)| (exact::to_f64(fill.price), place)), candles)
    }
}

impl Held {
    /// The excursion up to an exit at that price and place; up to the last candle of a trade that stays open.
    pub(crate) fn excursion(&self, exit: Option<(f64, FillPlace)>, candles: &Candles) -> Excursion {
        let from = match self.entered.moment {
            Moment::Open => self.entered.candle,
            Moment::Within | Moment::Close => self.entered.candle + 1,
        };
        let (mut lowest, mut highest) = (self.entry_price, self.entry_price);
        let mut reach = |price: f64| {
            lowest = lowest.min(price);
            highest = highest.max(price);
        };
        let mut end = candles.len();
        let mut last = candles.len().saturating_sub(1);
        if let Some((price, FillPlace { candle, moment })) = exit {
            reach(price);
            (end, last) = (candle + usize::from(moment == Moment::Close), candle);
            if end == candle && from <= candle {
                reach(candles.open[candle]);
            }
        }
        if from < end {
            reach(best(&candles.low[from..end], f64::INFINITY, smaller));
            reach(best(&candles.high[from..end], f64::NEG_INFINITY, larger));
        }
        let below = (self.entry_price - lowest) / self.entry_price;
        let above = (highest - self.entry_price) / self.entry_price;
        let (max_adverse, max_favorable) = match self.direction {
            Direction::Long => (below, above),
            Direction::Short => (above, below),
        };
        let candles_count = (last + 1).saturating_sub(self.entered.candle);
        let candles_count = u32::try_from(candles_count).unwrap_or(u32::MAX);
        Excursion { candles_count, max_adverse, max_favorable }
    }
}
