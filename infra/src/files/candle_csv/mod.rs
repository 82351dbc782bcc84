//! Reads candles from CSV, gzipped or not, with or without a header, times in s, ms, µs or ISO 8601, and reports oddities.

mod row;

use std::{
    collections::BTreeMap,
    io::{self, BufRead, BufReader, Read},
};

use domain::{
    market::{Candle, Timeframe},
    simulation::Candles,
};
use flate2::bufread::MultiGzDecoder;

use self::row::Layout;

/// How many bad rows and gaps a report lists; it counts all of them.
const NAMED_MAX: usize = 20;

/// The content of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// Ascending, no duplicates.
    pub candles: Candles,
    pub timeframe: Timeframe,
    pub report: Report,
}

/// What is odd about a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Data rows read, bad ones included.
    pub rows: u64,
    pub bad_rows: u64,
    /// The first few: their line (from 1) and what is wrong.
    pub named_bad_rows: Vec<(u64, String)>,
    /// Rows that repeat an opening time; the last one counts.
    pub duplicates: u64,
    /// How many of these differ from the earlier row.
    pub contradictions: u64,
    /// Rows that were not in order of time.
    pub unordered: u64,
    pub gaps: u64,
    /// Candles missing in all gaps.
    pub missing: u64,
    /// The first few: opening times (epoch ms) of the candles on both sides.
    pub named_gaps: Vec<(i64, i64)>,
    /// The opening time (epoch ms) of the last candle, if it had not closed yet.
    pub open_last: Option<i64>,
}

/// Why a file yields no candles.
#[derive(Debug, thiserror::Error)]
pub enum CsvError {
    #[error("reading failed: {0}")]
    Io(#[from] io::Error),
    #[error("reading failed: {0}")]
    Csv(#[from] csv::Error),
    #[error("the file has no candles")]
    Empty,
    /// None of the rows could be used; the first reason.
    #[error("no row is usable; line {line}: {reason}")]
    NoGoodRow { line: u64, reason: String },
    #[error("the header has no column for `{0}`")]
    MissingColumn(&'static str),
    #[error(
        "the candles are {0} ms apart, which is not a known timeframe; give it with --timeframe"
    )]
    UnknownTimeframe(i64),
    #[error("a single candle does not reveal its timeframe; give it with --timeframe")]
    OneCandle,
}

/// Reads candles. Without a `timeframe` it is the smallest distance between opening times. `now` (epoch ms) decides whether
/// the last candle has closed.
///
/// # Errors
/// See [`CsvError`]; bad rows are reported, not an error.
pub fn parse(
    reader: impl Read,
    timeframe: Option<Timeframe>,
    now: i64,
) -> Result<Parsed, CsvError> {
    let mut reader = BufReader::with_capacity(1 << 16, reader);
    if reader.fill_buf()?.starts_with(&[0x1f, 0x8b]) {
        parse_text(MultiGzDecoder::new(reader), timeframe, now)
    } else {
        parse_text(reader, timeframe, now)
    }
}

fn parse_text(
    reader: impl Read,
    timeframe: Option<Timeframe>,
    now: i64,
) -> Result<Parsed, CsvError> {
    let mut report = Report::default();
    let by_time = read_rows(reader, &mut report)?;
    let times: Vec<i64> = by_time.keys().copied().collect();
    let timeframe = match timeframe {
        Some(timeframe) => timeframe,
        None if times.is_empty() => return Err(nothing(report)),
        None => timeframe_of(&times)?,
    };
    let mut candles = Candles::default();
    for (time, (line, candle)) in by_time {
        if time.rem_euclid(timeframe.duration_ms()) == 0 {
            candles.push(candle);
        } else {
            report.bad(line, format!("the time is not the opening of a {timeframe} candle"));
        }
    }
    if candles.is_empty() {
        return Err(nothing(report));
    }
    report.find_gaps(&candles.open_time, timeframe);
    let last = candles.open_time.last().copied();
    report.open_last = last.filter(|last| last + timeframe.duration_ms() > now);
    Ok(Parsed { candles, timeframe, report })
}

fn nothing(report: Report) -> CsvError {
    match report.named_bad_rows.into_iter().next() {
        Some((line, reason)) => CsvError::NoGoodRow { line, reason },
        None => CsvError::Empty,
    }
}

/// The good rows by opening, each with its line.
fn read_rows(
    reader: impl Read,
    report: &mut Report,
) -> Result<BTreeMap<i64, (u64, Candle)>, CsvError> {
    let mut rows = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(reader);
    let mut by_time: BTreeMap<i64, (u64, Candle)> = BTreeMap::new();
    let mut layout = None;
    let mut record = csv::StringRecord::new();
    let mut previous = i64::MIN;
    loop {
        let line = rows.position().line();
        match rows.read_record(&mut record) {
            Ok(false) => return Ok(by_time),
            Ok(true) => {}
            Err(error) if error.is_io_error() => return Err(error.into()),
            Err(error) => {
                report.rows += 1;
                report.bad(line, error.to_string());
                continue;
            }
        }
        let line = record.position().map_or(line, csv::Position::line);
        let columns = match &layout {
            Some(columns) => columns,
            None => {
                let (found, is_header) = Layout::of(&record)?;
                layout = Some(found);
                if is_header {
                    continue;
                }
                layout.as_ref().ok_or(CsvError::Empty)?
            }
        };
        report.rows += 1;
        match columns.candle(&record) {
            Ok(candle) => {
                report.unordered += u64::from(candle.open_time < previous);
                previous = candle.open_time;
                if let Some((_, earlier)) = by_time.insert(candle.open_time, (line, candle)) {
                    report.duplicates += 1;
                    report.contradictions += u64::from(earlier != candle);
                }
            }
            Err(reason) => report.bad(line, reason),
        }
    }
}

/// The smallest distance between openings, which must be a timeframe.
fn timeframe_of(times: &[i64]) -> Result<Timeframe, CsvError> {
    let smallest =
        times.windows(2).map(|pair| pair[1] - pair[0]).min().ok_or(CsvError::OneCandle)?;
    let found = Timeframe::ALL.into_iter().find(|timeframe| timeframe.duration_ms() == smallest);
    found.ok_or(CsvError::UnknownTimeframe(smallest))
}

impl Report {
    fn bad(&mut self, line: u64, reason: String) {
        self.bad_rows += 1;
        if self.named_bad_rows.len() < NAMED_MAX {
            self.named_bad_rows.push((line, reason));
        }
    }

    fn find_gaps(&mut self, times: &[i64], timeframe: Timeframe) {
        let duration = timeframe.duration_ms();
        for pair in times.windows(2).filter(|pair| pair[1] - pair[0] > duration) {
            self.gaps += 1;
            self.missing += ((pair[1] - pair[0]) / duration - 1).unsigned_abs();
            if self.named_gaps.len() < NAMED_MAX {
                self.named_gaps.push((pair[0], pair[1]));
            }
        }
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
