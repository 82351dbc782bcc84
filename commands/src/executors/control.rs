//! What a run listens to while it works: its lease, its cancellation, the end of the process.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use cqrs_es::Aggregate;
use domain::backtest::Backtest;
use infra::postgres::{DatabaseError, run_queue::Lease};
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval_at},
};

use super::Executor;

/// Why a run should stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Halt {
    /// Cancelled or deleted: the log says which.
    Ended = 1,
    /// Another executor may have it.
    LeaseLost = 2,
    /// This process ends.
    Stopping = 3,
}

/// What a simulation and its surroundings tell each other, without locks: read on every candle.
#[derive(Debug, Default)]
pub(super) struct Signals {
    halt: AtomicU8,
    /// 0 to 100.
    percent: AtomicU8,
}

impl Signals {
    /// Why to stop, if so.
    pub(super) fn halt(&self) -> Option<Halt> {
        match self.halt.load(Ordering::Relaxed) {
            0 => None,
            1 => Some(Halt::Ended),
            2 => Some(Halt::LeaseLost),
            _ => Some(Halt::Stopping),
        }
    }

    pub(super) fn set_percent(&self, percent: u8) {
        self.percent.store(percent, Ordering::Relaxed);
    }

    /// The first reason stays.
    fn stop(&self, halt: Halt) {
        let _ = self.halt.compare_exchange(0, halt as u8, Ordering::Relaxed, Ordering::Relaxed);
    }
}

const PROGRESS_EVERY: Duration = Duration::from_millis(100);
/// Between two looks at the run's stream, however often the log wakes.
const LOOK_PAUSE: Duration = Duration::from_millis(20);

/// Keeps the lease, reports progress and watches the run's stream after `sequence`, until a reason to stop.
/// To be aborted at the end of the run.
pub(super) async fn keep(
    executor: Arc<Executor>,
    lease: Lease,
    signals: Arc<Signals>,
    sequence: i64,
    mut stop: watch::Receiver<bool>,
) {
    let lease_for = executor.options.lease;
    let mut wakeups = executor.commands.store.wakeups();
    let mut heartbeat = ticks(lease_for / 3);
    let mut progress = ticks(PROGRESS_EVERY);
    let mut kept_until = Instant::now() + lease_for;
    let mut reported = 0;
    while signals.halt().is_none() {
        let looked: Result<Option<Halt>, DatabaseError> = tokio::select! {
            _ = heartbeat.tick() => {
                let beat = Instant::now();
                match executor.queue.heartbeat(&lease, lease_for).await {
                    Ok(true) => {
                        kept_until = beat + lease_for;
                        ended(&executor, &lease, sequence).await
                    }
                    Ok(false) => Ok(Some(Halt::LeaseLost)),
                    Err(error) => Err(error),
                }
            }
            _ = progress.tick() => report(&executor, &lease, &signals, &mut reported).await,
            Ok(()) = wakeups.changed() => {
                let looked = ended(&executor, &lease, sequence).await;
                tokio::time::sleep(LOOK_PAUSE).await;
                looked
            }
            () = stopping(&mut stop) => Ok(Some(Halt::Stopping)),
        };
        match looked {
            Ok(Some(halt)) => signals.stop(halt),
            Ok(None) => {}
            Err(error) if Instant::now() < kept_until => {
                tracing::warn!(%error, backtest_id = %lease.backtest_id, "a run lost sight of its lease");
            }
            Err(error) => {
                tracing::warn!(%error, backtest_id = %lease.backtest_id, "a run lost its lease");
                signals.stop(Halt::LeaseLost);
            }
        }
    }
}

/// Returns when the process should end (or nobody is left to say so).
async fn stopping(stop: &mut watch::Receiver<bool>) {
    if let Err(error) = stop.wait_for(|stop| *stop).await {
        tracing::debug!(%error, "nobody is left to stop the executor");
    }
}

fn ticks(period: Duration) -> tokio::time::Interval {
    let period = period.max(Duration::from_millis(1));
    let mut ticks = interval_at(Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

async fn report(
    executor: &Executor,
    lease: &Lease,
    signals: &Signals,
    reported: &mut u8,
) -> Result<Option<Halt>, DatabaseError> {
    let percent = signals.percent.load(Ordering::Relaxed);
    if percent == *reported {
        return Ok(None);
    }
    *reported = percent;
    let is_kept = executor.queue.record_progress(lease, percent).await?;
    Ok((!is_kept).then_some(Halt::LeaseLost))
}

/// Whether someone cancelled or deleted the run after `sequence`.
async fn ended(
    executor: &Executor,
    lease: &Lease,
    sequence: i64,
) -> Result<Option<Halt>, DatabaseError> {
    const ENDING: [&str; 3] =
        ["BacktestCancellationRequested", "BacktestCancelled", "BacktestDeleted"];
    let id = lease.backtest_id.to_string();
    let events = executor.commands.store.read_stream(Backtest::TYPE, &id, sequence, 100).await?;
    let is_ended = events.iter().any(|event| ENDING.contains(&event.event_type.as_str()));
    Ok(is_ended.then_some(Halt::Ended))
}
