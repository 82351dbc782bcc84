//! Reads the rows of a file in one reading of its numbers and times, and collects what speaks for another.

use std::io::Read;

use csv::StringRecord;
use domain::{market::Candle, simulation::Candles};

use super::{
    CsvError,
    layout::{Finder, Layout, Top, shortened},
    numbers::{self, Mark},
    report::Report,
    times::{self, Shape},
};

/// Prices are multiplied by quantities of 18 places at most; below this nothing is left of them.
const PRICE_MIN: f64 = 1e-12;
/// How far a high may lie below open or close, relative to them: adjusted prices are products, rounded each for itself.
const ROUNDING: f64 = 1e-9;

/// How a file is read: one decision for all of its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) mark: Mark,
    /// `None` until there is a time.
    pub(super) shape: Option<Shape>,
    /// Times are midnights of the exchange's own zone, and their dates count.
    pub(super) local_days: bool,
    /// Whether there is any volume: in some files of FX and indices that column is empty.
    pub(super) has_volume: bool,
}

/// The rows of a file.
pub(super) struct Rows {
    pub(super) layout: Layout,
    /// The good rows in the order of the file; in `open_time` is the raw value of each time.
    pub(super) candles: Candles,
    /// The line of each.
    pub(super) lines: Vec<u32>,
    pub(super) report: Report,
    numbers: numbers::Evidence,
    volumes: u64,
    empty_volumes: u64,
    pub(super) times: times::Evidence,
}

impl Rows {
    /// Reads every row.
    ///
    /// # Errors
    /// I/O, no table, a header without a column that is needed.
    pub(super) fn read(
        reader: impl Read,
        delimiter: u8,
        reading: Reading,
    ) -> Result<Self, CsvError> {
        let mut lines = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .from_reader(reader);
        let mut finder = Finder::new(delimiter);
        let mut rows: Option<Self> = None;
        let mut record = StringRecord::new();
        loop {
            let at = lines.position().line();
            let read = lines.read_record(&mut record);
            let line = record.position().map_or(at, csv::Position::line);
            match (read, &mut rows) {
                (Ok(false), rows) => return rows.take().ok_or_else(|| finder.no_table()),
                (Ok(true), Some(rows)) => rows.take_row(line, &record, reading),
                (Ok(true), None) => match finder.next(&record)? {
                    Top::Preamble => {}
                    Top::Header(layout) => rows = Some(Self::new(layout)),
                    Top::Row(layout) => {
                        let mut first = Self::new(layout);
                        first.take_row(line, &record, reading);
                        rows = Some(first);
                    }
                },
                (Err(error), _) if error.is_io_error() => return Err(error.into()),
                (Err(error), Some(rows)) => {
                    rows.report.rows += 1;
                    rows.report.bad(at, error.to_string());
                }
                (Err(_), None) => {}
            }
        }
    }

    fn new(layout: Layout) -> Self {
        Self {
            report: Report {
                layout: layout.to_string(),
                has_no_volume: layout.volume.is_none(),
                ..Report::default()
            },
            layout,
            candles: Candles::default(),
            lines: Vec::new(),
            numbers: numbers::Evidence::default(),
            volumes: 0,
            empty_volumes: 0,
            times: times::Evidence::default(),
        }
    }

    /// How the file as a whole wants to be read.
    ///
    /// # Errors
    /// Numbers whose decimal mark cannot be told.
    pub(super) fn reading(&self) -> Result<Reading, CsvError> {
        let mark = self.numbers.mark(self.layout.delimiter());
        let mark = mark.ok_or_else(|| CsvError::NotUnderstood {
            layout: self.layout.to_string(),
            reason: "its numbers can be read with a decimal comma or with commas between thousands"
                .to_owned(),
        })?;
        let local_days = self.times.has_local_days();
        let has_volume = self.volumes > 0 || self.empty_volumes == 0;
        Ok(Reading { mark, shape: self.times.shape(), local_days, has_volume })
    }

    fn take_row(&mut self, line: u64, record: &StringRecord, reading: Reading) {
        if self.report.rows == 0 {
            if self.layout.is_header_too(record) {
                return;
            }
            self.layout.settle(record);
        }
        self.report.rows += 1;
        match self.candle(record, reading) {
            Ok((candle, is_clamped)) => {
                self.report.clamped += u64::from(is_clamped);
                self.candles.push(candle);
                self.lines.push(u32::try_from(line).unwrap_or(u32::MAX));
            }
            Err(_) if self.layout.is_header(record) => self.report.rows -= 1,
            Err(reason) => self.report.bad(line, reason),
        }
    }

    /// The candle in a row, and whether its high or low was set to open or close.
    fn candle(
        &mut self,
        record: &StringRecord,
        reading: Reading,
    ) -> Result<(Candle, bool), String> {
        let field = |index: usize, name: &str| {
            let text = record.get(index).map(str::trim).filter(|text| !text.is_empty());
            text.ok_or_else(|| format!("`{name}` is missing"))
        };
        let Layout { time, clock, open, high, low, close, volume, .. } = self.layout;
        let stamp = field(time, "timestamp")?;
        let stamp = match clock {
            None => self.times.read(stamp, reading.shape, reading.local_days),
            Some(clock) => {
                let stamp = super::layout::joined(stamp, field(clock, "time")?);
                self.times.read(&stamp, reading.shape, reading.local_days)
            }
        };
        // The prices are read first: they say something about the file though the time may not.
        let mut price = |index: usize, name: &str| {
            let text = field(index, name)?;
            let price = numbers::number(text, reading.mark, &mut self.numbers);
            let price = price.ok_or_else(|| not_a_number(name, text))?;
            if price < PRICE_MIN {
                return Err(format!("`{name}` is {text}: prices below 1e-12 cannot be traded"));
            }
            Ok(price)
        };
        let (open, high) = (price(open, "open")?, price(high, "high")?);
        let (low, close) = (price(low, "low")?, price(close, "close")?);
        let volume = match volume {
            None => 0.0,
            Some(index) => self.volume(record.get(index).unwrap_or_default().trim(), reading)?,
        };
        let open_time = stamp.ok_or_else(|| {
            let text = shortened(record.get(time).unwrap_or_default());
            format!("`timestamp` is not a time, or not written as the others: `{text}`")
        })?;
        enclose(Candle { open_time, open, high, low, close, volume })
    }

    fn volume(&mut self, text: &str, reading: Reading) -> Result<f64, String> {
        if matches!(text, "" | "-") {
            self.empty_volumes += 1;
            return if reading.has_volume {
                Err("`volume` is missing".to_owned())
            } else {
                Ok(0.0)
            };
        }
        self.volumes += 1;
        let volume = numbers::volume(text, reading.mark, &mut self.numbers);
        volume.ok_or_else(|| not_a_number("volume", text))
    }
}

fn not_a_number(name: &str, text: &str) -> String {
    format!("`{name}` is not a number: `{}`", shortened(text))
}

/// A candle whose high and low enclose open and close, and whether a rounding had to be mended for that.
fn enclose(candle: Candle) -> Result<(Candle, bool), String> {
    let Candle { open, high, low, close, volume, .. } = candle;
    if volume < 0.0 {
        return Err("the volume is negative".to_owned());
    }
    let (top, bottom) = (open.max(close), open.min(close));
    if top - high > top * ROUNDING || low - bottom > bottom * ROUNDING {
        return Err("high and low do not enclose open and close".to_owned());
    }
    let is_clamped = high < top || low > bottom;
    Ok((Candle { high: high.max(top), low: low.min(bottom), ..candle }, is_clamped))
}
