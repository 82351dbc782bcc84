//! Reads candles from CSV files of many programs, gzipped or not, with one decision a file, and reports what is odd about them.

mod layout;
mod moment;
mod numbers;
mod report;
mod rows;
mod series;
mod times;

use std::io::{self, BufRead, BufReader, Cursor, Read, Seek};

use domain::{market::Timeframe, simulation::Candles};
use flate2::bufread::MultiGzDecoder;

pub use self::report::{BadRow, Conflict, Report};
use self::rows::{Reading, Rows};

/// The part of a file that gives the first idea of its layout.
const HEAD_BYTES: u64 = 1 << 16;

/// How to read a file.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// `None`: the candles' distance decides.
    pub timeframe: Option<Timeframe>,
    /// Epoch ms; decides whether the last candle has closed.
    pub now: i64,
    /// Whether a file may have more than one bad row in a thousand.
    pub accept_bad_rows: bool,
}

/// The content of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// Ascending, no duplicates.
    pub candles: Candles,
    pub timeframe: Timeframe,
    pub report: Report,
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
    #[error("the file is not understood ({layout}): {reason}")]
    NotUnderstood { layout: String, reason: String },
    #[error("{}", too_many(report))]
    TooManyBadRows { report: Box<Report> },
    #[error(
        "the candles are {0} ms apart, which is not a known timeframe; give it with --timeframe"
    )]
    UnknownTimeframe(i64),
    #[error("these are {found} candles, not {named} ones")]
    OtherTimeframe { named: Timeframe, found: Timeframe },
    #[error("a single candle does not reveal its timeframe; give it with --timeframe")]
    OneCandle,
}

/// Reads candles. Delimiter, columns, decimal mark, and unit and format of the times are decided once for the whole file: it is
/// read as its beginning suggests, and once more if the rest says otherwise.
///
/// # Errors
/// See [`CsvError`]; a few bad rows are reported, not an error.
pub fn parse(mut reader: impl Read + Seek, options: &Options) -> Result<Parsed, CsvError> {
    let (delimiter, reading) = first_reading(text_of(&mut reader)?)?;
    reader.rewind()?;
    let mut rows = Rows::read(text_of(&mut reader)?, delimiter, reading)?;
    let reading_of_all = rows.reading()?;
    if reading_of_all != reading {
        reader.rewind()?;
        rows = Rows::read(text_of(&mut reader)?, delimiter, reading_of_all)?;
    }
    rows.report.has_no_volume |= !reading_of_all.has_volume;
    rows.report.days_stamped_at =
        reading_of_all.local_days.then(|| "midnight of the exchange".to_owned());
    series::assemble(rows, options)
}

/// The text of a file, unzipped if it is zipped.
fn text_of<'a>(reader: impl Read + 'a) -> Result<Box<dyn Read + 'a>, CsvError> {
    let mut reader = BufReader::with_capacity(1 << 16, reader);
    Ok(match reader.fill_buf()?.starts_with(&[0x1f, 0x8b]) {
        true => Box::new(MultiGzDecoder::new(reader)),
        false => Box::new(reader),
    })
}

/// The delimiter, and how the first lines want to be read.
fn first_reading(text: impl Read) -> Result<(u8, Reading), CsvError> {
    let mut head = Vec::new();
    text.take(HEAD_BYTES).read_to_end(&mut head)?;
    if head.len() as u64 == HEAD_BYTES {
        let end = head.iter().rposition(|byte| matches!(byte, b'\n' | b'\r'));
        head.truncate(end.unwrap_or(head.len()));
    }
    let delimiter = layout::delimiter(&head)?;
    let start =
        Reading { mark: numbers::Mark::Dot, shape: None, local_days: false, has_volume: true };
    let rows = Rows::read(Cursor::new(head), delimiter, start)?;
    // The rest of the file may tell what its beginning does not.
    Ok((delimiter, rows.reading().unwrap_or(start)))
}

fn too_many(report: &Report) -> String {
    let messages = [report.bad_rows_message(), report.conflicts_message()];
    let messages: Vec<String> = messages.into_iter().flatten().collect();
    format!(
        "{} (more than one in a thousand; {}). Use --accept-bad-rows to go on without them",
        messages.join("; "),
        report.layout
    )
}

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
