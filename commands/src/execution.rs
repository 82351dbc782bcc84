//! A whole backtest in one call, without database, events or ids.

use std::{ops::ControlFlow, sync::Arc};

use domain::{
    fields::FieldError,
    ids::BacktestId,
    ledger::entries::{Ending, EntryError, LedgerWriter},
    run_spec::RunSpec,
    simulation::{
        self, Candles, Input, Observer, Outcome, SimulationError, Step,
        hash::{self, CanonicalError, Digest, dataset_sha256, result_hash, with_fine},
        settings::Intrabar,
    },
};
use rust_decimal::Decimal;

use crate::dataset::{Selection, finer_within};

/// What a backtest results in, with the hashes that the service would give it.
#[derive(Debug, Clone, PartialEq)]
pub struct Execution {
    pub outcome: Outcome,
    /// Of its candles, and of the finer ones where there are some.
    pub dataset_sha256: Digest,
    pub ledger_hash: Digest,
    pub result_hash: Digest,
}

/// Why a backtest has no result.
#[derive(Debug, thiserror::Error)]
pub enum ExecutionError {
    /// Parameters that the strategy cannot be bound with.
    #[error("the strategy's parameters are not valid")]
    Strategy(Vec<FieldError>),
    /// Quantities need a lot to be multiples of.
    #[error("the settings name no lot")]
    NoLot,
    #[error(transparent)]
    Simulation(#[from] SimulationError),
    #[error(transparent)]
    Entry(#[from] EntryError),
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
}

/// Runs a strategy on the candles of `series` that a run of the service would be pinned to: those of the range and,
/// where the settings say so, those before it that the indicators need. Pure: the same inputs give the same result.
///
/// # Errors
/// See [`ExecutionError`].
pub fn execute_backtest(
    run: &RunSpec,
    series: &Arc<Candles>,
    observer: &mut dyn Observer,
) -> Result<Execution, ExecutionError> {
    execute_with_finer(run, series, None, observer)
}

/// As [`execute_backtest`], with finer candles of the market for `intrabar: lower_timeframe`.
///
/// # Errors
/// See [`ExecutionError`].
pub fn execute_with_finer(
    run: &RunSpec,
    series: &Arc<Candles>,
    finer: Option<&Candles>,
    observer: &mut dyn Observer,
) -> Result<Execution, ExecutionError> {
    let strategy = run.definition.bind(&run.parameters).map_err(ExecutionError::Strategy)?;
    let (first_defined, warmup) = (strategy.first_defined(), run.settings.warmup);
    let selection = Selection::new(series, run.start_time, run.end_time, first_defined, warmup)
        .ok_or(SimulationError::NoCandles)?;
    let candles = selection.candles(series);
    let asks_finer = run.settings.intrabar == Intrabar::LowerTimeframe;
    let fine = finer.filter(|_| asks_finer);
    let fine = fine.map(|fine| finer_within(fine, &candles, run.timeframe));
    let input = Input {
        strategy: &strategy,
        candles: &candles,
        range_start: selection.warmup_rows,
        fine: fine.as_ref(),
        initial_balance: run.initial_balance,
        lot: run.settings.lot.filter(|lot| *lot > Decimal::ZERO).ok_or(ExecutionError::NoLot)?,
        timeframe: run.timeframe,
        settings: &run.settings,
    };
    // Ids are no part of any hash.
    let id = BacktestId::default();
    let (writer, _) =
        LedgerWriter::open(id, run.symbol.clone(), run.timeframe, run.initial_balance)?;
    let mut recorder = Recorder { writer, observer, error: None };
    let outcome = simulation::run(&input, &mut recorder);
    let Recorder { writer, error, .. } = recorder;
    if let Some(error) = error {
        return Err(error.into());
    }
    let outcome = outcome?;
    let open_time = &candles.open_time[selection.warmup_rows..];
    let Ending { points, ledger_hash, .. } = writer.finish(open_time, &outcome)?;
    let mut dataset_sha256 = dataset_sha256(&candles);
    if let Some(fine) = &fine {
        dataset_sha256 = with_fine(dataset_sha256, hash::dataset_sha256(fine));
    }
    let result_hash = result_hash(dataset_sha256, run, ledger_hash, &outcome.metrics, &points)?;
    Ok(Execution { outcome, dataset_sha256, ledger_hash, result_hash })
}

/// Hashes the ledger that the service would write, as the run goes on.
struct Recorder<'a> {
    writer: LedgerWriter,
    observer: &'a mut dyn Observer,
    error: Option<EntryError>,
}

impl Observer for Recorder<'_> {
    fn observe(&mut self, step: Step<'_>) -> ControlFlow<()> {
        if let Err(error) = self.writer.step(step) {
            self.error = Some(error);
            return ControlFlow::Break(());
        }
        self.observer.observe(step)
    }
}
