//! Files of candles, as every subcommand that takes them reads them.

use std::{fs::File, path::Path};

use anyhow::Context;
use domain::{
    market::{Symbol, Timeframe},
    simulation::trading_hours::{Gaps, guess_kind},
};
use infra::{
    clock::Clock,
    files::candle_csv::{self, Options, Parsed},
};
use serde_json::{Value, json};

use crate::output;

/// Reads a file, whose timeframe its name or its times tell unless it is given. More than one bad row in a thousand is an error
/// unless they are accepted.
///
/// # Errors
/// The file cannot be read or understood.
pub(super) fn read(
    path: &Path,
    timeframe: Option<Timeframe>,
    accept_bad_rows: bool,
) -> anyhow::Result<Parsed> {
    let shown = || path.display().to_string();
    let file = open(path)?;
    let length = file.metadata().with_context(|| format!("{} cannot be read", shown()))?.len();
    let bar = output::progress_bar(length, &format!("reading {}", shown()));
    let timeframe = timeframe.or(named(path).1);
    let now = Clock::system().now().timestamp_millis();
    let options = Options { timeframe, now, accept_bad_rows };
    let parsed = candle_csv::parse(bar.wrap_read(file), &options).with_context(shown)?;
    bar.finish_and_clear();
    Ok(parsed)
}

/// Opens a file. Done before its name is judged: a missing file is not a badly named one.
///
/// # Errors
/// It is not there or cannot be opened.
pub(super) fn open(path: &Path) -> anyhow::Result<File> {
    File::open(path).with_context(|| format!("{} cannot be opened", path.display()))
}

/// Reads symbol and timeframe from a name: BTCUSDT and 1d from `BTCUSDT_1d.csv.gz`, 1m from `BTCUSDT_1m_2024-03.csv`.
pub(super) fn named(path: &Path) -> (Option<Symbol>, Option<Timeframe>) {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = name.split('.').next().unwrap_or_default();
    let mut parts = stem.split('_');
    let symbol = parts.next().and_then(|part| part.parse().ok());
    match parts.next().and_then(|part| part.parse().ok()) {
        Some(timeframe) => (symbol, Some(timeframe)),
        None => (None, None),
    }
}

/// What is odd about a file, and what is missing from it, for the JSON of a result.
///
/// # Errors
/// None in practice: the report is plain data.
pub(super) fn report(parsed: &Parsed) -> anyhow::Result<Value> {
    let mut report = serde_json::to_value(&parsed.report)?;
    let times = &parsed.candles.open_time;
    let kind = guess_kind(times, parsed.timeframe);
    let gaps = Gaps::find(times, parsed.timeframe, kind);
    report["gaps"] = json!({
        "market_kind": kind.as_str(),
        "gaps_count": gaps.count,
        "missing_candles_count": gaps.missing,
        "possible_holidays": gaps.possible_holidays,
    });
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_says_symbol_and_timeframe() {
        let cases = [
            ("data/BTCUSDT_1d.csv", Some("BTCUSDT"), Some(Timeframe::OneDay)),
            ("BTCUSDT_1m_2024-03.csv.gz", Some("BTCUSDT"), Some(Timeframe::OneMinute)),
            ("prices.csv", None, None),
            ("my_prices.csv", None, None),
        ];
        for (path, symbol, timeframe) in cases {
            let symbol = symbol.map(|symbol| symbol.parse().unwrap());
            assert_eq!(named(Path::new(path)), (symbol, timeframe), "{path}");
        }
    }
}
