//! `backtrail import-candles`: reads files of candles into the database and reports what is odd about them.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use chrono::{DateTime, SecondsFormat};
use domain::{
    market::{Market, MarketKind, Symbol, Timeframe},
    simulation::Candles,
};
use indicatif::ProgressBar;
use infra::{
    clock::Clock,
    files::candle_csv::{self, Parsed, Report},
    postgres::{
        Database,
        market_data::{CandleStore, Imported, Markets},
    },
};
use rust_decimal::Decimal;

use crate::{
    backend::{Access, Backend},
    config::Config,
    output, sample,
};

/// Decimals beyond this are noise from the arithmetic of the program that wrote the file.
const DECIMALS_MAX: u32 = 8;

/// Import candles from CSV files, or the sample that ships with Backtrail.
///
/// Files may be gzipped and may have a header; times may be in s, ms, µs or ISO 8601. Importing a file again changes nothing.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  backtrail import-candles --sample\n  backtrail import-candles BTCUSDT_1h.csv.gz\n  backtrail import-candles prices.csv --symbol ACME --timeframe 1d --base ACME --quote USD --kind equity"
)]
pub(super) struct Arguments {
    /// The files; a name like SYMBOL_TIMEFRAME.csv names the market and the timeframe.
    #[arg(required_unless_present = "sample", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Import the candles that ship with Backtrail: eight years of daily BTCUSDT.
    #[arg(long, conflicts_with_all = ["files", "symbol", "timeframe", "base", "quote", "lot"])]
    sample: bool,
    /// The market, if the file's name does not begin with it.
    #[arg(long)]
    symbol: Option<Symbol>,
    /// 1m, 5m, 15m, 1h, 4h or 1d; by default the file's name or its times decide.
    #[arg(long)]
    timeframe: Option<Timeframe>,
    /// For a new market: the asset that is bought.
    #[arg(long, requires = "quote")]
    base: Option<String>,
    /// For a new market: the asset that pays for it.
    #[arg(long, requires = "base")]
    quote: Option<String>,
    /// For a new market: what is traded there.
    #[arg(long, value_enum, default_value = "crypto")]
    kind: Kind,
    /// For a new market: the step of quantities; 0.00000001 for crypto, otherwise 1.
    #[arg(long)]
    lot: Option<Decimal>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    Crypto,
    Fiat,
    Equity,
}

pub(super) async fn run(config: &Config, arguments: &Arguments) -> anyhow::Result<()> {
    // Everything is read before anything is written: a bad file among good ones changes nothing.
    let mut inputs = Vec::new();
    if arguments.sample {
        let (symbol, parsed) = sample::read()?;
        inputs.push(Input { name: "sample".to_owned(), symbol, parsed });
    }
    for path in &arguments.files {
        inputs.push(read(path, arguments).with_context(|| path.display().to_string())?);
    }
    let backend = Backend::open(config, Access::Share).await?;
    let imported = import_all(&backend.database, arguments, &inputs).await;
    backend.finish(imported).await
}

/// One file, read.
struct Input {
    /// What the report calls it.
    name: String,
    symbol: Symbol,
    parsed: Parsed,
}

fn read(path: &Path, arguments: &Arguments) -> anyhow::Result<Input> {
    let (named_symbol, named_timeframe) = named(path);
    let Some(symbol) = arguments.symbol.clone().or(named_symbol) else {
        bail!("the file's name does not begin with a market; give it with --symbol");
    };
    let file = File::open(path).context("cannot be opened")?;
    let length = file.metadata().context("cannot be read")?.len();
    let bar = output::progress_bar(length, &format!("reading {symbol}"));
    let timeframe = arguments.timeframe.or(named_timeframe);
    let now = Clock::system().now().timestamp_millis();
    let parsed = candle_csv::parse(bar.wrap_read(file), timeframe, now)?;
    bar.finish_and_clear();
    Ok(Input { name: path.display().to_string(), symbol, parsed })
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

async fn import_all(
    database: &Database,
    arguments: &Arguments,
    inputs: &[Input],
) -> anyhow::Result<()> {
    let (markets, store) = (Markets::new(database.clone()), CandleStore::new(database.clone()));
    for Input { name, symbol, parsed } in inputs {
        if markets.get(symbol).await?.is_none() {
            markets.add(&new_market(symbol, arguments, &parsed.candles)?).await?;
        }
        let bar = output::progress_bar(parsed.candles.len() as u64, &format!("storing {symbol}"));
        let imported = store_candles(&store, symbol, parsed, &bar).await?;
        bar.finish_and_clear();
        output::line(&describe(name, symbol, parsed, &imported))?;
    }
    Ok(())
}

async fn store_candles(
    store: &CandleStore,
    symbol: &Symbol,
    parsed: &Parsed,
    bar: &ProgressBar,
) -> anyhow::Result<Imported> {
    let progress = |done: usize| bar.set_position(done as u64);
    let open_from = parsed.report.open_last;
    Ok(store.import(symbol, parsed.timeframe, &parsed.candles, open_from, progress).await?)
}

fn new_market(symbol: &Symbol, arguments: &Arguments, candles: &Candles) -> anyhow::Result<Market> {
    let (Some(base), Some(quote)) = (&arguments.base, &arguments.quote) else {
        bail!(
            "the market {symbol} is new; say what it trades with --base and --quote (and --kind, --lot)"
        );
    };
    let (kind, lot) = match arguments.kind {
        Kind::Crypto => (MarketKind::Crypto, Decimal::new(1, 8)),
        Kind::Fiat => (MarketKind::Fiat, Decimal::ONE),
        Kind::Equity => (MarketKind::Equity, Decimal::ONE),
    };
    let lot = arguments.lot.unwrap_or(lot);
    if lot <= Decimal::ZERO {
        bail!("--lot must be above 0");
    }
    let columns = [&candles.open, &candles.high, &candles.low, &candles.close];
    Ok(Market {
        symbol: symbol.clone(),
        base: base.to_ascii_uppercase(),
        quote: quote.to_ascii_uppercase(),
        kind,
        lot,
        price_decimals: columns.into_iter().map(|column| decimals(column)).max().unwrap_or(0),
        volume_decimals: decimals(&candles.volume),
    })
}

/// Returns how many digits after the point the values need.
fn decimals(values: &[f64]) -> u32 {
    let of = |value: &f64| {
        let text = value.to_string();
        let digits = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        u32::try_from(digits).unwrap_or(DECIMALS_MAX).min(DECIMALS_MAX)
    };
    values.iter().map(of).max().unwrap_or(0)
}

fn describe(name: &str, symbol: &Symbol, parsed: &Parsed, imported: &Imported) -> String {
    let candles = &parsed.candles.open_time;
    let range = match (candles.first(), candles.last()) {
        (Some(first), Some(last)) => format!("{} to {}", time(*first), time(*last)),
        _ => "none".to_owned(),
    };
    let mut lines = vec![
        format!("{name}: {symbol} {}, {range}", parsed.timeframe),
        format!(
            "  {} candles: {} new, {} corrected, {} unchanged (revision {})",
            candles.len(),
            imported.inserted,
            imported.corrected,
            imported.unchanged,
            imported.revision
        ),
    ];
    lines.extend(oddities(&parsed.report));
    lines.join("\n")
}

/// Returns a line for everything odd in the file.
fn oddities(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    if report.bad_rows > 0 {
        lines.push(format!("  bad rows: {}", report.bad_rows));
        let named = report.named_bad_rows.iter();
        lines.extend(named.map(|(line, reason)| format!("    line {line}: {reason}")));
    }
    if report.duplicates > 0 {
        let contradictions = report.contradictions;
        let duplicates = report.duplicates;
        lines.push(format!("  duplicates: {duplicates}, {contradictions} of them contradicting"));
    }
    if report.unordered > 0 {
        lines.push(format!("  rows out of order: {}", report.unordered));
    }
    if report.gaps > 0 {
        lines.push(format!("  gaps: {}, {} candles missing", report.gaps, report.missing));
        let named = report.named_gaps.iter();
        lines.extend(
            named.map(|(from, to)| format!("    between {} and {}", time(*from), time(*to))),
        );
        if report.gaps > report.named_gaps.len() as u64 {
            lines.push("    …".to_owned());
        }
    }
    if let Some(open) = report.open_last {
        lines.push(format!(
            "  partial last candle: {} had not closed yet; no run uses it",
            time(open)
        ));
    }
    lines
}

fn time(epoch_ms: i64) -> String {
    let time = DateTime::from_timestamp_millis(epoch_ms);
    time.map_or_else(
        || epoch_ms.to_string(),
        |time| time.to_rfc3339_opts(SecondsFormat::Secs, true),
    )
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

    #[test]
    fn decimals_are_those_that_the_prices_need() {
        assert_eq!(decimals(&[1.0, 2.5, 90_802.44]), 2);
        assert_eq!(decimals(&[100.0]), 0);
        assert_eq!(decimals(&[0.1 + 0.2]), DECIMALS_MAX);
        assert_eq!(decimals(&[]), 0);
    }
}
