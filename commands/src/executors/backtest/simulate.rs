//! The simulation off the async threads: its ledger entries come out in chunks, each after the last was recorded.

use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

use domain::{
    backtest::{Backtest, commands::Completion},
    ids::BacktestId,
    ledger::LedgerEvent,
    simulation::{Observer, SimulationError, Step},
};
use infra::postgres::event_store::Priority;
use tokio::sync::mpsc;

use super::{
    super::{attempt::Attempt, failure::Failure, lease::Lease},
    ledger::LedgerAppender,
    meanwhile,
};
use crate::{
    error::CommandError,
    prepared_run::{PreparedRun, Recorder, RunError},
};

/// Entries appended at a time.
const CHUNK_MAX: usize = 250;
/// A ledger that grows slowly is appended at least so often.
const FLUSH_EVERY: Duration = Duration::from_millis(100);

type Computed = (Vec<LedgerEvent>, Box<Completion>);

/// Computes the run and records its ledger but for the last entries, which come back with the result.
pub(super) async fn simulate(
    backtest_id: BacktestId,
    prepared: PreparedRun,
    attempt: &mut Attempt<'_, Backtest>,
    appender: &mut LedgerAppender,
) -> Result<Computed, Failure> {
    let (sender, mut chunks) = mpsc::channel(1);
    let lease = attempt.lease.clone();
    let of_run = lease.clone();
    let computing =
        tokio::task::spawn_blocking(move || compute(backtest_id, &prepared, &of_run, sender));
    let recorded = record(&mut chunks, attempt, appender).await;
    // The simulation stops when its chunks are no longer received.
    drop(chunks);
    let computed = computing.await.map_err(|error| CommandError::Internal(error.to_string()))?;
    recorded?;
    computed.map_err(|error| match error.code() {
        None => lease.overtaken(),
        Some(_) => error.into(),
    })
}

/// Records the chunks as they come, once the log has the run's start.
async fn record(
    chunks: &mut mpsc::Receiver<Vec<LedgerEvent>>,
    attempt: &mut Attempt<'_, Backtest>,
    appender: &mut LedgerAppender,
) -> Result<(), Failure> {
    while let Some(chunk) = meanwhile(attempt, async { Ok(chunks.recv().await) }).await? {
        attempt.lease.check()?;
        if attempt.is_held() {
            attempt.commit(Priority::Interactive).await?;
        }
        appender.record(chunk).await?;
    }
    Ok(())
}

fn compute(
    backtest_id: BacktestId,
    prepared: &PreparedRun,
    lease: &Lease,
    chunks: mpsc::Sender<Vec<LedgerEvent>>,
) -> Result<Computed, RunError> {
    let mut recorder = Chunks { buffer: Vec::new(), chunks, lease, flushed: Instant::now() };
    let mut execution = prepared.execute(backtest_id, &mut recorder)?;
    let Chunks { buffer: mut rest, chunks, .. } = recorder;
    rest.append(&mut execution.last_entries);
    while rest.len() > CHUNK_MAX {
        let chunk = rest.drain(..CHUNK_MAX).collect();
        chunks.blocking_send(chunk).map_err(|_| SimulationError::Stopped)?;
    }
    Ok((rest, Box::new(execution.into())))
}

/// Hands the ledger's entries out in chunks.
struct Chunks<'a> {
    buffer: Vec<LedgerEvent>,
    chunks: mpsc::Sender<Vec<LedgerEvent>>,
    lease: &'a Lease,
    flushed: Instant,
}

impl Chunks<'_> {
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

impl Observer for Chunks<'_> {
    fn observe(&mut self, step: Step<'_>) -> ControlFlow<()> {
        if self.lease.stop_reason().is_some() {
            return ControlFlow::Break(());
        }
        if let Step::Progress { done, total, .. } = step {
            self.lease.set_percent(percent(done, total));
        }
        if !self.buffer.is_empty() && self.flushed.elapsed() >= FLUSH_EVERY {
            self.flush()?;
        }
        ControlFlow::Continue(())
    }
}

impl Recorder for Chunks<'_> {
    fn record(&mut self, entry: LedgerEvent) -> ControlFlow<()> {
        self.buffer.push(entry);
        if self.buffer.len() >= CHUNK_MAX { self.flush() } else { ControlFlow::Continue(()) }
    }
}

fn percent(done: usize, total: usize) -> u8 {
    let percent = done.saturating_mul(100).checked_div(total).unwrap_or(100);
    u8::try_from(percent.min(100)).unwrap_or(100)
}
