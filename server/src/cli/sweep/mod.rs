//! `backtrail sweep`: runs many backtests from files, without a database, with the same result hash as the service.

mod show;

use std::{path::PathBuf, sync::atomic::Ordering, thread, time::Duration};

use anyhow::{anyhow, bail};
use commands::{SweepOutcome, SweepRun, SweepRunError, SweepSearch};
use domain::{
    fields::FieldError,
    run_spec::RunSpec,
    simulation::sweep::{CancelToken, Spec},
    strategy::StrategyDefinition,
    sweep::SweepRequest,
};
use serde_json::{Map, Value, json};

use super::simulate::{Pinned, pinned, read_list, read_object, settings_file::RunSettings, wrong};
use crate::output;

/// How often the progress bar moves.
const MOVE_EVERY: Duration = Duration::from_millis(50);

/// Backtest a strategy over a space of parameters on candles from a file, without a database.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  echo '{\"code_ref\": \"golden_cross\"}' > golden.json\n  backtrail sweep --candles BTCUSDT_1d.csv --strategy golden.json \\\n    --grid short_window=5:50:5 --grid long_window=60,100,150,200 \\\n    --constraint 'short_window < long_window' --objective sharpe_ratio --walk-forward rolling:4:70\n\nThe lot is 0.00000001 unless the settings' metadata says otherwise."
)]
pub(super) struct Arguments {
    /// The candles, CSV or gzipped CSV; a name like SYMBOL_TIMEFRAME.csv names market and timeframe, which the settings may not contradict.
    #[arg(long, value_name = "FILE")]
    candles: PathBuf,
    /// Run although more than one in a thousand rows of the file cannot be used or contradicts another.
    #[arg(long)]
    accept_bad_rows: bool,
    /// The strategy as JSON, as for POST /strategies.
    #[arg(long, value_name = "FILE")]
    strategy: PathBuf,
    /// The settings as JSON, as for POST /backtests without ids; these parameters do not vary.
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// The values of a parameter: NAME=FROM:TO, NAME=FROM:TO:STEP or NAME=VALUE,VALUE,…
    #[arg(long, value_name = "NAME=VALUES", required_unless_present = "combinations")]
    grid: Vec<String>,
    /// A file with the combinations, instead of a grid: a JSON list of {"NAME": VALUE, …}.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["grid", "random"])]
    combinations: Option<PathBuf>,
    /// A condition that every combination must meet: 'short_window < long_window'.
    #[arg(long, value_name = "CONSTRAINT")]
    constraint: Vec<String>,
    /// The metric that ranks the rows; append :minimize or :maximize to choose the direction.
    #[arg(long, value_name = "METRIC", default_value = "sharpe_ratio")]
    objective: String,
    /// Draw this many different combinations at random, by the seed.
    #[arg(long, value_name = "COUNT")]
    random: Option<u32>,
    #[arg(long, default_value_t = 0, requires = "random")]
    seed: u64,
    /// MODE:WINDOWS or MODE:WINDOWS:PERCENT; the mode is rolling or anchored, the percentage is the part in sample.
    #[arg(long, value_name = "WINDOWS")]
    walk_forward: Option<String>,
    /// The largest number of runs, those of the windows of a walk-forward included.
    #[arg(long, value_name = "COUNT", default_value_t = 100_000)]
    combinations_max: usize,
    /// The number of threads; 0 means one per core.
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    threads: usize,
    /// Rows to print.
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    top: usize,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Table,
    Json,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let (work, report) = prepare(arguments)?;
    let (request, dataset) = (work.request.clone(), work.dataset.clone());
    let outcome = compute(work, arguments.threads)?;
    let text = match arguments.format {
        Format::Table => {
            let table = show::table(&request, &outcome, arguments.top);
            let warnings = outcome.completion.warnings.iter();
            let warnings = warnings.map(|w| format!("warning {}: {}\n", w.code, w.message));
            warnings.collect::<String>() + &table
        }
        Format::Json => {
            let mut shown = show::json(&request, &dataset, &outcome);
            shown["candles"] = report;
            serde_json::to_string_pretty(&shown)?
        }
    };
    Ok(output::line(&text)?)
}

/// The sweep, and what its file of candles is like.
fn prepare(arguments: &Arguments) -> anyhow::Result<(SweepRun, Value)> {
    let path = &arguments.strategy;
    let definition = StrategyDefinition::parse(&read_object(path)?).map_err(wrong(path))?;
    let settings = match &arguments.settings {
        Some(path) => RunSettings::parse(&read_object(path)?).map_err(wrong(path))?,
        None => RunSettings::parse(&Map::new()).map_err(refused)?,
    };
    let settings_path = arguments.settings.as_deref().unwrap_or(path);
    let accept = arguments.accept_bad_rows;
    let Pinned { run, series, warnings, report } =
        pinned(&arguments.candles, accept, path, definition, settings, settings_path)?;
    let mut errors = Vec::new();
    let spec = Spec::parse(&body(arguments)?, &mut errors);
    let spec = spec.filter(|_| errors.is_empty()).ok_or_else(|| refused(errors))?;
    let (given, metadata) = (&run.parameters, &run.settings);
    let combinations_max = arguments.combinations_max;
    let search = SweepSearch::try_new(&run.definition, given, metadata, spec, combinations_max);
    let SweepSearch { spec, parameters, combinations_count, .. } = search.map_err(refused)?;
    let request = SweepRequest {
        run: RunSpec { parameters, ..run },
        spec,
        combinations_count: u32::try_from(combinations_count).unwrap_or(u32::MAX),
    };
    let work = SweepRun::prepare(request, &series, 0, None)?.warn(warnings);
    Ok((work, report))
}

/// Computes beside a progress bar.
fn compute(work: SweepRun, threads: usize) -> Result<SweepOutcome, SweepRunError> {
    let threads = match threads {
        0 => thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    };
    let cancel = CancelToken::default();
    let runs = work.runs_count();
    let bar = output::progress_bar(runs as u64, &format!("sweeping {}", work.request.run.symbol));
    let outcome = thread::scope(|scope| {
        let computing = scope.spawn(|| work.compute(threads, &cancel));
        while !computing.is_finished() {
            bar.set_position(cancel.done.load(Ordering::Relaxed) as u64);
            thread::sleep(MOVE_EVERY);
        }
        computing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    bar.finish_and_clear();
    outcome
}

/// The arguments as the API's body.
fn body(arguments: &Arguments) -> anyhow::Result<Map<String, Value>> {
    let mut grid = Map::new();
    for axis in &arguments.grid {
        let Some((name, values)) = axis.split_once('=') else {
            bail!("--grid takes NAME=VALUES, not `{axis}`");
        };
        let values = match values.split(':').collect::<Vec<_>>().as_slice() {
            [from, to] => json!({"from": from, "to": to}),
            [from, to, step] => json!({"from": from, "to": to, "step": step}),
            _ => values.split(',').collect::<Vec<_>>().into(),
        };
        if grid.insert(name.trim().to_owned(), values).is_some() {
            bail!("--grid names `{name}` twice");
        }
    }
    let search = match &arguments.combinations {
        Some(path) => ("combinations".to_owned(), read_list(path)?),
        None => ("grid".to_owned(), Value::Object(grid)),
    };
    let constraints = ("constraints".to_owned(), json!(arguments.constraint));
    let mut body = Map::from_iter([search, constraints]);
    let objective = match arguments.objective.split_once(':') {
        None => json!(arguments.objective),
        Some((metric, direction)) => json!({"metric": metric, "direction": direction}),
    };
    body.insert("objective".to_owned(), objective);
    if let Some(count) = arguments.random {
        body.insert("random".to_owned(), json!({"count": count, "seed": arguments.seed}));
    }
    if let Some(walk) = &arguments.walk_forward {
        let walk = match walk.split(':').collect::<Vec<_>>().as_slice() {
            [mode, windows] => json!({"mode": mode, "windows": windows}),
            [mode, windows, percent] => {
                json!({"mode": mode, "windows": windows, "in_sample_percentage": percent})
            }
            _ => bail!("--walk-forward takes MODE:WINDOWS or MODE:WINDOWS:PERCENT, not `{walk}`"),
        };
        body.insert("walk_forward".to_owned(), walk);
    }
    Ok(body)
}

/// Lists everything that is wrong with the arguments, one line each.
#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn refused(errors: Vec<FieldError>) -> anyhow::Error {
    let lines = errors.iter().map(|error| format!("\n  {}: {}", error.field, error.message));
    anyhow!("the sweep is not valid:{}", lines.collect::<String>())
}
