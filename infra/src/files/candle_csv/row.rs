//! One row of a CSV file: which column is which, and what makes a candle valid.

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use csv::StringRecord;
use domain::market::Candle;

use super::CsvError;

/// Which column is which.
pub(super) struct Layout {
    time: usize,
    open: usize,
    high: usize,
    low: usize,
    close: usize,
    volume: usize,
}

const TIME_NAMES: &[&str] =
    &["timestamp", "time", "open_time", "opentime", "open time", "date", "datetime", "unix"];

impl Layout {
    /// Reads the layout from a first row, and whether that row is a header. Without one it is time, open, high, low, close,
    /// volume, as Binance's twelve columns begin too.
    pub(super) fn of(first: &StringRecord) -> Result<(Self, bool), CsvError> {
        let is_header = first.get(1).is_some_and(|field| field.parse::<f64>().is_err());
        if !is_header {
            return Ok((Self { time: 0, open: 1, high: 2, low: 3, close: 4, volume: 5 }, false));
        }
        let find = |name: &'static str, names: &[&str]| {
            let named = |field: &str| names.iter().any(|name| field.eq_ignore_ascii_case(name));
            first
                .iter()
                .position(|field| named(field.trim_start_matches('\u{feff}')))
                .ok_or(CsvError::MissingColumn(name))
        };
        let layout = Self {
            time: find("timestamp", TIME_NAMES)?,
            open: find("open", &["open"])?,
            high: find("high", &["high"])?,
            low: find("low", &["low"])?,
            close: find("close", &["close"])?,
            volume: find("volume", &["volume", "vol"])?,
        };
        Ok((layout, true))
    }

    /// Parses the candle in a row.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(super) fn candle(&self, record: &StringRecord) -> Result<Candle, String> {
        let field = |index: usize, name: &str| {
            let text = record.get(index).filter(|text| !text.is_empty());
            text.ok_or_else(|| format!("`{name}` is missing"))
        };
        let number = |index: usize, name: &str| {
            let text = field(index, name)?;
            let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
            number.ok_or_else(|| format!("`{name}` is not a number: `{}`", shortened(text)))
        };
        let candle = Candle {
            open_time: time(field(self.time, "timestamp")?)?,
            open: number(self.open, "open")?,
            high: number(self.high, "high")?,
            low: number(self.low, "low")?,
            close: number(self.close, "close")?,
            volume: number(self.volume, "volume")?,
        };
        check(&candle)?;
        Ok(candle)
    }
}

fn check(candle: &Candle) -> Result<(), String> {
    let Candle { open, high, low, close, volume, .. } = *candle;
    if [open, high, low, close].iter().any(|price| *price <= 0.0) {
        return Err("a price is not above 0".into());
    }
    if high < open.max(close) || low > open.min(close) || high < low {
        return Err("high and low do not enclose open and close".into());
    }
    if volume < 0.0 {
        return Err("the volume is negative".into());
    }
    Ok(())
}

/// Parses epoch milliseconds from seconds, milliseconds, microseconds (told apart by magnitude) or ISO 8601, in UTC unless
/// an offset is given.
fn time(text: &str) -> Result<i64, String> {
    let wrong = || format!("`timestamp` is not a time: `{}`", shortened(text));
    if let Ok(number) = text.parse::<f64>() {
        let ms = match number.abs() {
            seconds if seconds < 1e11 => number * 1e3,
            ms if ms < 1e14 => number,
            us if us < 1e17 => number / 1e3,
            _ => return Err(wrong()),
        };
        return whole_ms(ms).ok_or_else(wrong);
    }
    let parsed = DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%:z"))
        .map(|time| time.timestamp_millis());
    let naive = |format| NaiveDateTime::parse_from_str(text, format).ok();
    let naive = || {
        ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"]
            .into_iter()
            .find_map(naive)
            .or_else(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0))
            .map(|time| time.and_utc().timestamp_millis())
    };
    parsed.ok().or_else(naive).ok_or_else(wrong)
}

#[expect(clippy::cast_possible_truncation, reason = "whole and below 1e14")]
fn whole_ms(ms: f64) -> Option<i64> {
    (ms.is_finite() && ms.abs() < 1e14).then(|| ms.floor() as i64)
}

fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}
