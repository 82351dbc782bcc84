//! `backtrail simulate`: runs one backtest from files, without a database, with the same result hash as the service.

pub(super) mod settings_file;
mod show;

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, anyhow, bail};
use chrono::DateTime;
use commands::{Execution, PreparedRun, RunError};
use domain::{
    fields::FieldError,
    ids::{StrategyId, UserId},
    market::{Symbol, Timeframe},
    run_spec::RunSpec,
    simulation::{Candles, Observer, Settings, Step, Warning},
    strategy::StrategyDefinition,
};
use indicatif::ProgressBar;
use infra::files::candle_csv::{Parsed, Report};
use rust_decimal::Decimal;
use serde_json::{Map, Value};

use self::settings_file::RunSettings;
use super::candle_file;
use crate::output;

/// The lot of runs from files: the service pins the market's, and a file has no market.
const LOT: Decimal = Decimal::from_parts(1, 0, 0, false, 8);

/// Backtest a strategy on candles from a file, without a database.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  echo '{\"code_ref\": \"golden_cross\"}' > golden.json\n  backtrail simulate --candles BTCUSDT_1d.csv --strategy golden.json\n\nThe lot is 0.00000001 unless the settings' metadata says otherwise."
)]
pub(super) struct Arguments {
    /// The candles, CSV or gzipped CSV; a name like SYMBOL_TIMEFRAME.csv names market and timeframe, which the settings may not contradict.
    #[arg(long, value_name = "FILE")]
    candles: PathBuf,
    /// Finer candles of the same market, for `intrabar: lower_timeframe`; named like SYMBOL_TIMEFRAME.csv.
    #[arg(long, value_name = "FILE")]
    fine_candles: Option<PathBuf>,
    /// Run although more than one in a thousand rows of a file cannot be used or contradicts another.
    #[arg(long)]
    accept_bad_rows: bool,
    /// The strategy as JSON, as for POST /strategies.
    #[arg(long, value_name = "FILE")]
    strategy: PathBuf,
    /// The settings as JSON, as for POST /backtests without ids. Defaults to the API's defaults.
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// A set of conventions; the settings override it.
    #[arg(long, value_enum)]
    preset: Option<Preset>,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Preset {
    /// Agrees with backtesting.py 0.6.6.
    #[value(name = "backtesting_py")]
    BacktestingPy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Table,
    Json,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let (prepared, simulated, files) = simulate(arguments)?;
    let text = match arguments.format {
        Format::Table => show::table(&simulated),
        Format::Json => serde_json::to_string_pretty(&show::json(&prepared, &simulated, files)?)?,
    };
    Ok(output::line(&text)?)
}

/// The run, its result, and what the files were like.
fn simulate(arguments: &Arguments) -> anyhow::Result<(PreparedRun, Execution, Map<String, Value>)> {
    let path = &arguments.strategy;
    let definition = StrategyDefinition::parse(&read_object(path)?).map_err(wrong(path))?;
    let mut settings = run_settings(arguments)?;
    let settings_path = arguments.settings.as_deref().unwrap_or(path);
    settings.parameters =
        definition.merge_parameters(&settings.parameters).map_err(wrong(settings_path))?;
    let accept = arguments.accept_bad_rows;
    let Pinned { run, series, warnings, report } =
        pinned(&arguments.candles, accept, path, definition, settings, settings_path)?;
    let mut files = Map::from_iter([("candles".to_owned(), report)]);
    let fine = match &arguments.fine_candles {
        Some(path) => Some(read_fine(path, accept, &run.symbol, run.timeframe)?),
        None => None,
    };
    if let Some(fine) = &fine {
        files.insert("fine_candles".to_owned(), candle_file::report(fine)?);
    }
    let bar = output::progress_bar(series.len() as u64, &format!("simulating {}", run.symbol));
    let executed = prepare(run, &series, fine.as_ref()).and_then(|prepared| {
        let prepared = prepared.warn(warnings);
        let executed = prepared.execute_unrecorded(&mut Bar(&bar))?;
        Ok((prepared, executed))
    });
    bar.finish_and_clear();
    let (prepared, executed) = executed.map_err(|error| match error {
        RunError::Strategy(errors) => wrong(settings_path)(errors),
        error @ (RunError::Simulation(_) | RunError::Entry(_) | RunError::Canonical(_)) => {
            anyhow::Error::from(error)
        }
    })?;
    Ok((prepared, executed, files))
}

fn prepare(
    run: RunSpec,
    series: &Arc<Candles>,
    finer: Option<&Parsed>,
) -> Result<PreparedRun, RunError> {
    let lot = run.settings.lot.unwrap_or(LOT);
    let prepared = PreparedRun::try_new(run, lot, series, None)?;
    Ok(match finer {
        Some(finer) => prepared.with_finer(&finer.candles).warn(finer_warnings(&finer.report)),
        None => prepared,
    })
}

/// What the file of finer candles is like, so that it is not taken for the other.
fn finer_warnings(report: &Report) -> Vec<Warning> {
    let warnings = report.warnings().into_iter();
    warnings
        .map(|Warning { code, message }| Warning {
            code,
            message: format!("finer candles: {message}"),
        })
        .collect()
}

/// A run that depends on nothing else but its candles.
pub(super) struct Pinned {
    pub(super) run: RunSpec,
    pub(super) series: Arc<Candles>,
    /// Of its candles.
    pub(super) warnings: Vec<Warning>,
    /// What the file of its candles is like, as JSON.
    pub(super) report: Value,
}

/// The run that files describe, pinned as the service would pin it, with the candles of its file. Owner and strategy
/// have no ids here, and no hash needs them.
pub(super) fn pinned(
    candles: &Path,
    accept_bad_rows: bool,
    strategy: &Path,
    definition: StrategyDefinition,
    settings: RunSettings,
    settings_path: &Path,
) -> anyhow::Result<Pinned> {
    let (symbol, parsed) = read_candles(candles, accept_bad_rows, &settings, settings_path)?;
    let report = candle_file::report(&parsed)?;
    let warnings = parsed.report.warnings();
    let (timeframe, series) = (parsed.timeframe, parsed.candles);
    let time = |index: usize| series.open_time.get(index).copied();
    let time = |index| time(index).and_then(DateTime::from_timestamp_millis);
    let start_time = settings.start_time.or_else(|| time(0)).context("there are no candles")?;
    let last = || series.len().checked_sub(1).and_then(time);
    let end_time = settings.end_time.or_else(last).context("there are no candles")?;
    let lot = settings.metadata.lot.unwrap_or(LOT);
    let run = RunSpec {
        owner_id: UserId::default(),
        strategy_id: StrategyId::default(),
        strategy_version: 1,
        strategy_name: strategy.display().to_string(),
        definition,
        asset_symbol: symbol.as_str().to_owned(),
        symbol,
        timeframe,
        start_time,
        end_time,
        initial_balance: settings.initial_balance,
        parameters: settings.parameters,
        settings: Settings { lot: Some(lot), ..settings.metadata },
    };
    Ok(Pinned { run, series: Arc::new(series), warnings, report })
}

/// Moves the progress bar.
struct Bar<'a>(&'a ProgressBar);

impl Observer for Bar<'_> {
    fn observe(&mut self, step: Step<'_>) -> ControlFlow<()> {
        if let Step::Progress { done, .. } = step {
            self.0.set_position(done as u64);
        }
        ControlFlow::Continue(())
    }
}

fn run_settings(arguments: &Arguments) -> anyhow::Result<RunSettings> {
    let (path, mut body) = match &arguments.settings {
        Some(path) => (path.as_path(), read_object(path)?),
        None => (Path::new("--preset"), Map::new()),
    };
    if let Some(Preset::BacktestingPy) = arguments.preset {
        let metadata = body.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(metadata) = metadata {
            metadata.insert("preset".to_owned(), "backtesting_py".into());
        }
    }
    RunSettings::parse(&body).map_err(wrong(path))
}

/// The JSON object in a file.
pub(super) fn read_object(path: &Path) -> anyhow::Result<Map<String, Value>> {
    let text = read_text(path)?;
    serde_json::from_str(&text).with_context(|| format!("{} is not a JSON object", path.display()))
}

pub(super) fn read_list(path: &Path) -> anyhow::Result<Value> {
    let read: Result<Vec<Value>, _> = serde_json::from_str(&read_text(path)?);
    let list = read.with_context(|| format!("{} is not a JSON list", path.display()))?;
    Ok(Value::Array(list))
}

fn read_text(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}

/// The candles of a file, with the market that it or the settings name.
fn read_candles(
    path: &Path,
    accept_bad_rows: bool,
    settings: &RunSettings,
    settings_path: &Path,
) -> anyhow::Result<(Symbol, Parsed)> {
    candle_file::open(path)?;
    let named = candle_file::named(path);
    settings.check_against(path, &named).map_err(wrong(settings_path))?;
    // The settings may call BTCUSDT by its base, as in the service.
    let Some(symbol) = named.0.or_else(|| settings.symbol.clone()) else {
        bail!(
            "the name of {} does not begin with a market and a timeframe (BTCUSDT_1d.csv); \
             name the market as `symbol` in --settings",
            path.display()
        );
    };
    let mut parsed = candle_file::read(path, settings.timeframe, accept_bad_rows)?;
    if parsed.report.open_last.is_some() {
        // As in the service, no run uses a candle that was not closed.
        let closed = parsed.candles.len() - 1;
        parsed.candles = commands::dataset::slice(&parsed.candles, 0..closed);
    }
    Ok((symbol, parsed))
}

/// Finer candles of `symbol` than those of `timeframe`.
fn read_fine(
    path: &Path,
    accept_bad_rows: bool,
    symbol: &Symbol,
    timeframe: Timeframe,
) -> anyhow::Result<Parsed> {
    candle_file::open(path)?;
    let (named, _) = candle_file::named(path);
    if named.as_ref().is_some_and(|named| named != symbol) {
        bail!("{} holds candles of another market than {symbol}", path.display());
    }
    let parsed = candle_file::read(path, None, accept_bad_rows)?;
    if parsed.timeframe >= timeframe {
        bail!(
            "{} holds {} candles, which are not finer than {}",
            path.display(),
            parsed.timeframe.as_str(),
            timeframe.as_str()
        );
    }
    Ok(parsed)
}

/// Lists everything that is wrong with a file, one line each.
pub(super) fn wrong(path: &Path) -> impl Fn(Vec<FieldError>) -> anyhow::Error {
    let path = path.display().to_string();
    move |errors| {
        let lines = errors.iter().map(|error| format!("\n  {}: {}", error.field, error.message));
        anyhow!("{path} is not valid:{}", lines.collect::<String>())
    }
}
