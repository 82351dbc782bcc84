//! Exposure: candles with a position, its entry's and its exit's included, each counted once, ÷ candles.

use super::{Run, count};
use crate::simulation::trade::{FillPlace, Trade};

/// Counted in one pass while trades come in the order of their entries; parts that were closed do not.
pub(super) struct Exposure<'a> {
    run: &'a Run<'a>,
    exposed: usize,
    /// Up to where candles have been counted.
    from: usize,
    /// The entry of the trade before.
    last: usize,
    is_in_order: bool,
}

impl<'a> Exposure<'a> {
    pub(super) fn new(run: &'a Run<'a>) -> Self {
        Self { run, exposed: 0, from: 0, last: 0, is_in_order: true }
    }

    pub(super) fn add(&mut self, trade: &Trade) {
        let Some((first, end)) = self.run.span(trade).filter(|_| self.is_in_order) else { return };
        self.is_in_order = first >= self.last;
        self.last = first;
        self.count(first, end);
    }

    pub(super) fn measure(mut self) -> Option<f64> {
        let len = self.run.open_time.len();
        if !self.is_in_order {
            let spans = self.run.trades.iter().filter_map(|trade| self.run.span(trade));
            let mut spans: Vec<_> = spans.collect();
            spans.sort_unstable();
            (self.exposed, self.from) = (0, 0);
            spans.into_iter().for_each(|(first, end)| self.count(first, end));
        }
        (len > 0).then(|| count(self.exposed) / count(len))
    }

    fn count(&mut self, first: usize, end: usize) {
        self.exposed += end.saturating_sub(first.max(self.from));
        self.from = self.from.max(end);
    }
}

impl Run<'_> {
    /// The candles from a trade's entry to the one after its exit; none of a trade that is open at the end of a run of
    /// backtesting.py.
    fn span(&self, trade: &Trade) -> Option<(usize, usize)> {
        let len = self.open_time.len();
        let end = match &trade.exit {
            Some(exit) => len.min(self.index(exit.time, trade.exited) + 1),
            None => Some(len).filter(|_| self.preset.is_backtrail())?,
        };
        Some((self.index(trade.entry.time, Some(trade.entered)), end))
    }

    /// The index of the candle on which a fill is stamped.
    fn index(&self, time: i64, place: Option<FillPlace>) -> usize {
        let known = self.places_from.zip(place);
        known.map_or_else(|| self.index_of(time), |(first, place)| place.candle - first)
    }

    /// The index of the candle that opened at `time`: where it is when no candle is missing, else searched.
    fn index_of(&self, time: i64) -> usize {
        let start = self.open_time.first().copied().unwrap_or(time);
        let guess = usize::try_from((time - start) / self.timeframe.duration_ms()).unwrap_or(0);
        if self.open_time.get(guess) == Some(&time) {
            return guess;
        }
        self.open_time.partition_point(|open_time| *open_time < time)
    }
}
