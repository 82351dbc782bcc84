//! The layout of a file: its delimiter, its header if it has one, and which column is which.

use std::fmt;

use csv::StringRecord;

use super::{CsvError, moment::Moment, numbers::is_number};

/// Columns that every row of candles has: a time, and four prices.
pub(super) const COLUMNS_MIN: usize = 5;
/// Lines above the header that are skipped: a title, a source, a licence.
const PREAMBLE_MAX: usize = 20;
/// Lines that tell the delimiter.
const SAMPLE_LINES: usize = 40;

/// Names of columns, as [`folded`]; the first that a header has is taken.
const STAMPS: [&str; 14] = [
    "unix",
    "unixtimestamp",
    "unixtime",
    "epoch",
    "timestamp",
    "opentime",
    "klineopentime",
    "datetime",
    "gmttime",
    "localtime",
    "starttime",
    "time",
    "date",
    "dtyyyymmdd",
];
const OPENS: [&str; 5] = ["open", "openprice", "1open", "first", "o"];
const HIGHS: [&str; 5] = ["high", "highprice", "2high", "max", "h"];
const LOWS: [&str; 5] = ["low", "lowprice", "3low", "min", "l"];
const CLOSES: [&str; 8] =
    ["close", "closeprice", "4close", "closelast", "last", "price", "latest", "c"];
/// Ticks come first: MetaTrader's `<VOL>` is 0 on most markets.
const VOLUMES: [&str; 8] =
    ["tickvol", "tickvolume", "volume", "vol", "basevolume", "volumefrom", "5volume", "v"];
/// What a volume that is counted in money is named after.
const MONEY: [&str; 9] = ["usd", "usdt", "usdc", "busd", "tusd", "fdusd", "eur", "gbp", "to"];

/// Which column is which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    /// The program that writes such files, if it is known.
    source: Option<&'static str>,
    delimiter: u8,
    /// Its names, joined by spaces; none without a header.
    header: Option<String>,
    pub(super) time: usize,
    /// The column of the time of day, if dates have a column of their own.
    pub(super) clock: Option<usize>,
    pub(super) open: usize,
    pub(super) high: usize,
    pub(super) low: usize,
    pub(super) close: usize,
    pub(super) volume: Option<usize>,
}

/// What a line at the top of a file is.
pub(super) enum Top {
    /// Nothing of the table yet.
    Preamble,
    Header(Layout),
    /// The first row, without a header above it.
    Row(Layout),
}

/// Finds out what the first lines of a file are.
#[derive(Debug, Default)]
pub(super) struct Finder {
    delimiter: u8,
    preamble: Vec<String>,
}

impl Finder {
    pub(super) const fn new(delimiter: u8) -> Self {
        Self { delimiter, preamble: Vec::new() }
    }

    /// What the next line is.
    ///
    /// # Errors
    /// A header without a column that is needed, or no table at all.
    pub(super) fn next(&mut self, line: &StringRecord) -> Result<Top, CsvError> {
        if line.len() < COLUMNS_MIN {
            self.preamble.push(shortened(&line.iter().collect::<Vec<_>>().join(" ")));
            return if self.preamble.len() <= PREAMBLE_MAX {
                Ok(Top::Preamble)
            } else {
                Err(self.no_table())
            };
        }
        let numbers = line.iter().filter(|field| is_number(field.trim())).count();
        if numbers >= COLUMNS_MIN - 1 {
            return Ok(Top::Row(self.without_header(line)));
        }
        self.with_header(line).map(Top::Header)
    }

    /// The error of a file that ended before a table began.
    pub(super) fn no_table(&self) -> CsvError {
        match self.preamble.first() {
            None => CsvError::Empty,
            Some(first) => CsvError::NotUnderstood {
                layout: format!("it begins with `{first}`"),
                reason: "no line has the five columns of time, open, high, low and close, \
                         separated by commas, semicolons or tabs"
                    .to_owned(),
            },
        }
    }

    /// Time, open, high, low, close, volume, as Binance's twelve columns begin, too; or a date and a time of day before the
    /// prices.
    fn without_header(&self, line: &StringRecord) -> Layout {
        let field = |index: usize| line.get(index).unwrap_or_default().trim();
        let has_clock =
            field(1).contains(':') && Moment::parse(&joined(field(0), field(1))).is_some();
        let open = 1 + usize::from(has_clock);
        let source = match line.len() {
            12 if !has_clock => Some("Binance"),
            _ if has_clock => Some("MetaTrader"),
            _ => None,
        };
        Layout {
            source,
            delimiter: self.delimiter,
            header: None,
            time: 0,
            clock: has_clock.then_some(1),
            open,
            high: open + 1,
            low: open + 2,
            close: open + 3,
            volume: (line.len() > open + 4).then_some(open + 4),
        }
    }

    fn with_header(&self, line: &StringRecord) -> Result<Layout, CsvError> {
        let names: Vec<String> = line.iter().map(folded).collect();
        let header = spaced(line);
        let position = |name: &str| names.iter().position(|found| found == name);
        let first_of = |known: &[&str]| known.iter().find_map(|name| position(name));
        let source = self.source(&names, &header);
        let needed = |name: &str, known: &[&str]| {
            first_of(known).ok_or_else(|| CsvError::NotUnderstood {
                layout: named(source, self.delimiter, Some(&header)),
                reason: format!("the header has no column for `{name}`"),
            })
        };
        // yfinance writes its names one line higher than the dates'.
        let is_raised =
            names.first().is_some_and(|name| name == "price") && position("close").is_some();
        let time = if is_raised { 0 } else { needed("timestamp", &STAMPS)? };
        let date = position("date").or_else(|| position("dtyyyymmdd"));
        let clock = position("time").filter(|clock| *clock != time || date.is_some());
        let (time, clock) = match (date, clock) {
            (Some(date), Some(clock)) if time == date || time == clock => (date, Some(clock)),
            _ => (time, None),
        };
        Ok(Layout {
            source,
            delimiter: self.delimiter,
            time,
            clock,
            open: needed("open", &OPENS)?,
            high: needed("high", &HIGHS)?,
            low: needed("low", &LOWS)?,
            close: needed("close", &CLOSES)?,
            volume: first_of(&VOLUMES).or_else(|| base_volume(&names)),
            header: Some(header),
        })
    }

    fn source(&self, names: &[String], header: &str) -> Option<&'static str> {
        let has = |name: &str| names.iter().any(|found| found == name);
        let is_from =
            |site: &str| self.preamble.iter().any(|line| line.to_lowercase().contains(site));
        if is_from("cryptodatadownload") || (has("unix") && has("symbol")) {
            Some("CryptoDataDownload")
        } else if header.contains("<TICKER>") {
            Some("Stooq or Finam")
        } else if header.contains('<') && has("date") {
            Some("MetaTrader")
        } else if has("adjclose") || names.first().is_some_and(|name| name == "price") {
            Some("Yahoo Finance")
        } else if names.len() == 12 && has("opentime") {
            Some("Binance")
        } else if header.starts_with("time open high low close") {
            Some("TradingView")
        } else {
            None
        }
    }
}

impl Layout {
    /// Corrects the columns by the first row: a column `time` beside a date may be a whole time.
    pub(super) fn settle(&mut self, row: &StringRecord) {
        let Some(clock) = self.clock else { return };
        let text = row.get(clock).unwrap_or_default().trim();
        // `153000` is a time of day.
        if Moment::parse(text).is_some() || (is_number(text) && text.len() > 6) {
            (self.time, self.clock) = (clock, None);
        }
    }

    /// Whether a line repeats the header, as in files that were joined.
    pub(super) fn is_header(&self, row: &StringRecord) -> bool {
        self.header.as_ref().is_some_and(|header| *header == spaced(row))
    }

    /// Whether a line below the header is still part of it: yfinance has two more, with tickers and without numbers.
    pub(super) fn is_header_too(&self, row: &StringRecord) -> bool {
        self.header.is_some()
            && row
                .get(0)
                .is_some_and(|name| matches!(folded(name).as_str(), "ticker" | "date" | "datetime"))
            && !row.iter().any(|field| is_number(field.trim()))
    }

    pub(super) const fn delimiter(&self) -> u8 {
        self.delimiter
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&named(self.source, self.delimiter, self.header.as_deref()))
    }
}

/// A date and a time of day as one text.
pub(super) fn joined(date: &str, clock: &str) -> String {
    format!("{date} {clock}")
}

/// The delimiter that most of the first lines agree on.
///
/// # Errors
/// A text in UTF-16.
pub(super) fn delimiter(head: &[u8]) -> Result<u8, CsvError> {
    if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
        return Err(CsvError::NotUnderstood {
            layout: "text in UTF-16".to_owned(),
            reason: "save it as UTF-8".to_owned(),
        });
    }
    let lines: Vec<&[u8]> = head
        .split(|byte| matches!(byte, b'\n' | b'\r'))
        .filter(|line| !line.is_empty())
        .take(SAMPLE_LINES)
        .collect();
    let tables = |delimiter: u8| {
        lines.iter().filter(|line| fields_count(line, delimiter) >= COLUMNS_MIN).count()
    };
    // The rarer one first: a decimal comma is no delimiter.
    let all = [b'\t', b';', b'|', b','].into_iter().rev();
    Ok(all.max_by_key(|delimiter| tables(*delimiter)).unwrap_or(b','))
}

fn fields_count(line: &[u8], delimiter: u8) -> usize {
    let (mut count, mut is_quoted) = (1, false);
    for byte in line {
        is_quoted ^= *byte == b'"';
        count += usize::from(*byte == delimiter && !is_quoted);
    }
    count
}

/// A volume in the base asset: `Volume BTC` rather than `Volume USD`.
fn base_volume(names: &[String]) -> Option<usize> {
    names
        .iter()
        .position(|name| name.strip_prefix("volume").is_some_and(|asset| !MONEY.contains(&asset)))
}

/// A column's name in lower case, letters and digits only.
fn folded(name: &str) -> String {
    name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The names of a header in one line.
fn spaced(line: &StringRecord) -> String {
    line.iter().map(|name| name.trim_matches(is_noise)).collect::<Vec<_>>().join(" ")
}

fn is_noise(letter: char) -> bool {
    letter == '\u{feff}' || letter.is_whitespace()
}

fn named(source: Option<&str>, delimiter: u8, header: Option<&str>) -> String {
    let source = source.map_or(String::new(), |source| format!("{source}, "));
    let delimiter = match delimiter {
        b'\t' => "tabs",
        b';' => "semicolons",
        b'|' => "bars",
        _ => "commas",
    };
    let header =
        header.map_or("no header".to_owned(), |names| format!("header `{}`", shortened(names)));
    format!("{source}separated by {delimiter}, {header}")
}

pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(80) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
