//! Candles as columns, which indicators and the engine read.

use std::ops::Range;

use crate::market::Candle;

/// Columns of equal length, ascending in `open_time`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Candles {
    /// Epoch milliseconds UTC of each opening.
    pub open_time: Vec<i64>,
    pub open: Vec<f64>,
    pub high: Vec<f64>,
    pub low: Vec<f64>,
    pub close: Vec<f64>,
    pub volume: Vec<f64>,
}

impl Candles {
    /// How many candles there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.open_time.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open_time.is_empty()
    }

    /// Appends one candle.
    pub fn push(&mut self, candle: Candle) {
        self.open_time.push(candle.open_time);
        self.open.push(candle.open);
        self.high.push(candle.high);
        self.low.push(candle.low);
        self.close.push(candle.close);
        self.volume.push(candle.volume);
    }

    /// A copy of these rows.
    #[must_use]
    pub fn rows(&self, rows: Range<usize>) -> Self {
        Self {
            open_time: self.open_time[rows.clone()].to_vec(),
            open: self.open[rows.clone()].to_vec(),
            high: self.high[rows.clone()].to_vec(),
            low: self.low[rows.clone()].to_vec(),
            close: self.close[rows.clone()].to_vec(),
            volume: self.volume[rows].to_vec(),
        }
    }

    /// The candle at `index`, if there is one.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Candle> {
        Some(Candle {
            open_time: *self.open_time.get(index)?,
            open: self.open[index],
            high: self.high[index],
            low: self.low[index],
            close: self.close[index],
            volume: self.volume[index],
        })
    }
}

impl FromIterator<Candle> for Candles {
    fn from_iter<I: IntoIterator<Item = Candle>>(candles: I) -> Self {
        let mut columns = Self::default();
        for candle in candles {
            columns.push(candle);
        }
        columns
    }
}
