//! The simulation off the async threads: its ledger entries come out in chunks, each after the last was recorded.

use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

use domain::{
    backtest::{Request, commands::Completion},
    ids::BacktestId,
    ledger::{
        LedgerEvent,
        entries::{Ending, EntryError, LedgerWriter},
    },
    run_spec::RunSpec,
    simulation::{
        self, Input, Observer, SimulationError, Step,
        hash::{CanonicalError, result_hash, with_fine},
    },
};
use tokio::sync::mpsc;

use super::{
    super::{failure::Failure, lease::Lease},
    ledger::LedgerAppender,
    prepare::Prepared,
};
use crate::CommandError;

/// Entries appended at a time.
const CHUNK_MAX: usize = 250;
/// A ledger that grows slowly is appended at least so often.
const FLUSH_EVERY: Duration = Duration::from_millis(100);

/// A run that can be computed without asking anyone.
pub(super) struct Simulation {
    pub(super) backtest_id: BacktestId,
    pub(super) request: Request,
    pub(super) prepared: Prepared,
    pub(super) lease: Lease,
}

type Computed = (Vec<LedgerEvent>, Box<Completion>);

/// Computes the run and records its ledger but for the last entries, which come back with the result.
pub(super) async fn simulate(
    simulation: Simulation,
    appender: &mut LedgerAppender,
) -> Result<Computed, Failure> {
    let lease = simulation.lease.clone();
    let (sender, mut chunks) = mpsc::channel(1);
    let computing = tokio::task::spawn_blocking(move || compute(&simulation, sender));
    let mut recorded = Ok(());
    while let Some(chunk) = chunks.recv().await {
        recorded = match lease.check() {
            Ok(()) => appender.record(chunk).await,
            Err(stopped) => Err(stopped),
        };
        if recorded.is_err() {
            break;
        }
    }
    // The simulation stops when nobody takes its chunks.
    drop(chunks);
    let computed = computing.await.map_err(|error| CommandError::Internal(error.to_string()))?;
    recorded?;
    computed.map_err(|error| match &error {
        ComputeError::Simulation(SimulationError::Stopped) => lease.overtaken(),
        ComputeError::Simulation(SimulationError::NoCandles) => failed("no_candles", &error),
        ComputeError::Simulation(SimulationError::NothingToEvaluate { .. }) => {
            failed("not_enough_candles", &error)
        }
        ComputeError::Simulation(SimulationError::Unsupported(_)) => {
            failed("unsupported_setting", &error)
        }
        ComputeError::Simulation(SimulationError::Overflow(_))
        | ComputeError::Entry(_)
        | ComputeError::Canonical(_) => failed("out_of_range", &error),
    })
}

/// Why a run has no result.
#[derive(Debug, thiserror::Error)]
enum ComputeError {
    #[error(transparent)]
    Simulation(#[from] SimulationError),
    #[error(transparent)]
    Entry(#[from] EntryError),
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
}

fn compute(
    simulation: &Simulation,
    chunks: mpsc::Sender<Vec<LedgerEvent>>,
) -> Result<Computed, ComputeError> {
    let Simulation { backtest_id, request, prepared, lease } = simulation;
    let input = Input {
        strategy: &prepared.strategy,
        candles: &prepared.candles,
        range_start: prepared.selection.warmup_rows,
        fine: prepared.fine.as_ref().map(|(candles, _)| candles),
        initial_balance: request.run.initial_balance,
        lot: prepared.lot,
        timeframe: request.run.timeframe,
        settings: &request.run.settings,
    };
    let RunSpec { symbol, timeframe, initial_balance, .. } = &request.run;
    let (writer, opened) =
        LedgerWriter::open(*backtest_id, symbol.clone(), *timeframe, *initial_balance)?;
    let flushed = Instant::now();
    let mut recorder =
        Recorder { writer, buffer: vec![opened], chunks, lease, flushed, error: None };
    let outcome = simulation::run(&input, &mut recorder);
    let Recorder { writer, buffer, chunks, error, .. } = recorder;
    if let Some(error) = error {
        return Err(error.into());
    }
    let outcome = outcome?;
    let open_time = &prepared.candles.open_time[prepared.selection.warmup_rows..];
    let Ending { events, points, ledger_hash } = writer.finish(open_time, &outcome)?;
    let dataset = match &prepared.fine {
        Some((_, fine)) => with_fine(prepared.sha256, *fine),
        None => prepared.sha256,
    };
    let result_hash = result_hash(dataset, &request.run, ledger_hash, &outcome.metrics, &points)?;
    let mut rest = buffer;
    rest.extend(events);
    while rest.len() > CHUNK_MAX {
        let chunk = rest.drain(..CHUNK_MAX).collect();
        chunks.blocking_send(chunk).map_err(|_| SimulationError::Stopped)?;
    }
    let completion = Completion {
        final_balance: outcome.final_balance.normalize(),
        final_balance_stop_first: outcome.final_balance_stop_first.normalize(),
        final_balance_target_first: outcome.final_balance_target_first.normalize(),
        trades_count: u32::try_from(outcome.trades.len()).unwrap_or(u32::MAX),
        metrics: Box::new(outcome.metrics),
        ambiguous_trades_count: outcome.ambiguous_trades_count,
        ledger_hash: ledger_hash.to_string(),
        result_hash: result_hash.to_string(),
        warnings: outcome.warnings,
    };
    Ok((rest, Box::new(completion)))
}

/// Turns the engine's steps into ledger entries and hands them out in chunks.
struct Recorder<'a> {
    writer: LedgerWriter,
    buffer: Vec<LedgerEvent>,
    chunks: mpsc::Sender<Vec<LedgerEvent>>,
    lease: &'a Lease,
    flushed: Instant,
    error: Option<EntryError>,
}

impl Recorder<'_> {
    fn push(&mut self, entry: Result<LedgerEvent, EntryError>) -> ControlFlow<()> {
        match entry {
            Ok(entry) => self.buffer.push(entry),
            Err(error) => {
                self.error = Some(error);
                return ControlFlow::Break(());
            }
        }
        if self.buffer.len() >= CHUNK_MAX { self.flush() } else { ControlFlow::Continue(()) }
    }

    /// Waits until the chunk before was recorded.
    fn flush(&mut self) -> ControlFlow<()> {
        let chunk = std::mem::take(&mut self.buffer);
        if self.chunks.blocking_send(chunk).is_err() {
            return ControlFlow::Break(());
        }
        self.flushed = Instant::now();
        ControlFlow::Continue(())
    }
}

impl Observer for Recorder<'_> {
    fn observe(&mut self, step: Step<'_>) -> ControlFlow<()> {
        if self.lease.stop_reason().is_some() {
            return ControlFlow::Break(());
        }
        if let Step::Progress { done, total, .. } = step {
            self.lease.set_percent(percent(done, total));
        }
        if let Some(entry) = self.writer.step(step).transpose() {
            self.push(entry)?;
        }
        if !self.buffer.is_empty() && self.flushed.elapsed() >= FLUSH_EVERY {
            self.flush()?;
        }
        ControlFlow::Continue(())
    }
}

fn percent(done: usize, total: usize) -> u8 {
    let percent = done.saturating_mul(100).checked_div(total).unwrap_or(100);
    u8::try_from(percent.min(100)).unwrap_or(100)
}

fn failed(code: &'static str, error: &ComputeError) -> Failure {
    Failure::Rejected { code, message: error.to_string() }
}
