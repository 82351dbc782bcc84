//! `backtrail import-candles`: reads files of candles into the database and reports what is odd about them.

use std::path::{Path, PathBuf};

use anyhow::bail;
use chrono::{DateTime, SecondsFormat};
use domain::{
    decimals::Decimals,
    market::{Market, MarketKind, Symbol, Timeframe},
    simulation::{Candles, trading_hours::Gaps},
};
use indicatif::ProgressBar;
use infra::{
    files::candle_csv::{Parsed, Report},
    postgres::{
        Database,
        market_data::{CandleStore, Imported, Markets},
    },
};
use rust_decimal::Decimal;

use super::candle_file;
use crate::{
    backend::{Access, Backend},
    config::Config,
    output, sample,
};

/// Import candles from CSV files, or the sample that ships with Backtrail.
///
/// Files may be gzipped and may have a header; delimiter, columns, decimal mark and the format of times are found out (docs/candle-files.md has the layouts). Importing a file again changes nothing.
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
    /// The market. Defaults to the one with which the file's name begins.
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
    /// Import a file although more than one in a thousand of its rows cannot be used or contradicts another.
    #[arg(long)]
    accept_bad_rows: bool,
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
        inputs.push(read(path, arguments)?);
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
    candle_file::open(path)?;
    let (named_symbol, _) = candle_file::named(path);
    if let (Some(given), Some(named)) = (&arguments.symbol, &named_symbol)
        && given != named
        && arguments.files.len() > 1
    {
        bail!("--symbol {given} is for one file, and {} names {named}", path.display());
    }
    let Some(symbol) = arguments.symbol.clone().or(named_symbol) else {
        bail!(
            "the name of {} does not begin with a market and a timeframe (BTCUSDT_1d.csv); give the market with --symbol",
            path.display()
        );
    };
    let parsed = candle_file::read(path, arguments.timeframe, arguments.accept_bad_rows)?;
    Ok(Input { name: path.display().to_string(), symbol, parsed })
}

async fn import_all(
    database: &Database,
    arguments: &Arguments,
    inputs: &[Input],
) -> anyhow::Result<()> {
    let (markets, store) = (Markets::new(database.clone()), CandleStore::new(database.clone()));
    for Input { name, symbol, parsed } in inputs {
        let market = match markets.get(symbol).await? {
            Some(market) => market,
            None => {
                let market = new_market(symbol, arguments, &parsed.candles)?;
                markets.add(&market).await?;
                market
            }
        };
        let bar = output::progress_bar(parsed.candles.len() as u64, &format!("storing {symbol}"));
        let imported = store_candles(&store, symbol, parsed, &bar).await?;
        bar.finish_and_clear();
        output::line(&describe(name, &market, parsed, &imported))?;
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
    let (open_from, warnings) = (parsed.report.open_last, parsed.report.warnings());
    let (timeframe, candles) = (parsed.timeframe, &parsed.candles);
    Ok(store.import_file(symbol, timeframe, candles, open_from, &warnings, progress).await?)
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
    let decimals = Decimals::of(candles);
    Ok(Market {
        symbol: symbol.clone(),
        base: base.to_ascii_uppercase(),
        quote: quote.to_ascii_uppercase(),
        kind,
        lot,
        price_decimals: decimals.price,
        volume_decimals: decimals.volume,
    })
}

fn describe(name: &str, market: &Market, parsed: &Parsed, imported: &Imported) -> String {
    let candles = &parsed.candles.open_time;
    let range = match (candles.first(), candles.last()) {
        (Some(first), Some(last)) => format!("{} to {}", time(*first), time(*last)),
        _ => "none".to_owned(),
    };
    let (layout, times) = (&parsed.report.layout, &parsed.report.time_format);
    let mut lines = vec![
        format!("{name}: {} {}, {range}", market.symbol, parsed.timeframe),
        format!(
            "  {} candles: {} new, {} corrected, {} unchanged (revision {})",
            candles.len(),
            imported.inserted,
            imported.corrected,
            imported.unchanged,
            imported.revision
        ),
        format!("  layout: {layout}; times: {times}"),
    ];
    lines.extend(oddities(&parsed.report));
    lines.extend(missing(&Gaps::find(candles, parsed.timeframe, market.kind)));
    if let Some(open) = parsed.report.open_last {
        let open = time(open);
        lines.push(format!("  partial last candle: {open} had not closed yet; no run uses it"));
    }
    lines.join("\n")
}

/// Returns a line for everything odd in the file.
fn oddities(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    if report.bad_rows > 0 {
        lines.push(format!("  bad rows: {}", report.bad_rows));
        let named = report.named_bad_rows.iter();
        lines.extend(named.map(|row| format!("    line {}: {}", row.line, row.reason)));
    }
    if report.duplicates > 0 {
        let (duplicates, conflicts) = (report.duplicates, report.conflicts);
        lines.push(format!("  duplicates: {duplicates}, {conflicts} of them contradicting"));
        let named = report.named_conflicts.iter();
        lines.extend(
            named.map(|row| format!("    line {} replaces {}", row.line, row.earlier_line)),
        );
    }
    if report.clamped > 0 {
        let clamped = report.clamped;
        lines.push(format!(
            "  high or low set to open or close, from which a rounding parted it: {clamped}"
        ));
    }
    if report.unordered > 0 {
        lines.push(format!("  rows out of order: {}", report.unordered));
    }
    if report.has_no_volume {
        lines.push("  there is no column for the volume, which is 0".to_owned());
    }
    if let Some(clock) = &report.days_stamped_at {
        lines.push(format!("  days stamped at {clock} are taken as the day in which that lies"));
    }
    lines
}

/// Returns lines for the candles that are not there.
fn missing(gaps: &Gaps) -> Vec<String> {
    let mut lines = Vec::new();
    if gaps.count > 0 {
        lines.push(format!("  gaps: {}, {} candles missing", gaps.count, gaps.missing));
        let named = gaps.named.iter();
        let between =
            |(from, to): &(i64, i64)| format!("    between {} and {}", time(*from), time(*to));
        lines.extend(named.map(between));
        if gaps.count > gaps.named.len() as u64 {
            lines.push("    …".to_owned());
        }
    }
    if gaps.possible_holidays > 0 {
        lines.push(format!(
            "  possible holidays: {} weekdays without candles",
            gaps.possible_holidays
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
