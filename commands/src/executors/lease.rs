//! A lease at work: heartbeats keep it, progress goes with them, and every request to stop the work comes through it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use infra::{
    postgres::jobs::{JobLease, JobQueue},
    process,
};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, MissedTickBehavior, interval_at},
};

use super::failure::{Failure, StopReason};

/// How often progress is written at most.
pub(super) const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// The lease of one attempt; clones share what they know.
#[derive(Clone)]
pub(super) struct Lease {
    pub(super) job: Arc<JobLease>,
    signal: Arc<StopSignal>,
    /// 0 to 100.
    percent: Arc<AtomicU8>,
}

/// The signal to stop work, with the reason: read on every candle, so without locks.
#[derive(Default)]
struct StopSignal {
    reason: AtomicU8,
    raised: Notify,
}

impl Lease {
    pub(super) fn new(job: JobLease) -> Self {
        Self { job: Arc::new(job), signal: Arc::default(), percent: Arc::default() }
    }

    /// Asks the work to stop; the first reason stays.
    pub(super) fn stop(&self, reason: StopReason) {
        let of_signal = &self.signal.reason;
        let _ = of_signal.compare_exchange(0, reason as u8, Ordering::Relaxed, Ordering::Relaxed);
        self.signal.raised.notify_waiters();
    }

    /// Why to stop, if so.
    pub(super) fn stop_reason(&self) -> Option<StopReason> {
        StopReason::from_u8(self.signal.reason.load(Ordering::Relaxed))
    }

    /// Fails if the work has to stop.
    pub(super) fn check(&self) -> Result<(), Failure> {
        self.stop_reason().map_or(Ok(()), |reason| Err(Failure::Stopped(reason)))
    }

    /// The failure of an append that another one overtook: the reason to stop, if one is known, else the log's.
    pub(super) fn overtaken(&self) -> Failure {
        Failure::Stopped(self.stop_reason().unwrap_or(StopReason::LogChanged))
    }

    /// Does `work` until it is done or has to stop; what has to stop is dropped.
    pub(super) async fn within<T>(
        &self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        tokio::select! {
            done = work => done,
            reason = self.stopped() => Err(Failure::Stopped(reason)),
        }
    }

    /// Waits until this process has been stopping for so long that the work, which may hang on a lock of the database, is given up.
    pub(super) async fn abandoned(&self, patience: Duration) -> Failure {
        if self.stopped().await != StopReason::Stopping {
            // The work itself finds out what became of the job.
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(patience).await;
        Failure::Stopped(StopReason::Stopping)
    }

    /// Waits until there is a reason to stop.
    async fn stopped(&self) -> StopReason {
        loop {
            let raised = self.signal.raised.notified();
            if let Some(reason) = self.stop_reason() {
                return reason;
            }
            raised.await;
        }
    }

    /// Notes how far the work is, in percent.
    pub(super) fn set_percent(&self, percent: u8) {
        self.percent.store(percent, Ordering::Relaxed);
    }

    /// Prolongs the lease by `duration` again and again, until the work has to stop.
    pub(super) async fn keep(
        self,
        queue: JobQueue,
        duration: Duration,
        mut stop: watch::Receiver<bool>,
    ) {
        let beat_every = (duration / 3).max(Duration::from_millis(1));
        let period = PROGRESS_EVERY.min(beat_every);
        let mut ticks = interval_at(Instant::now() + period, period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut beaten_at, mut reported) = (Instant::now(), 0);
        let mut kept_until = beaten_at + duration;
        while self.stop_reason().is_none() {
            tokio::select! {
                _ = ticks.tick() => {}
                () = process::stopped(&mut stop) => return self.stop(StopReason::Stopping),
            }
            let (now, percent) = (Instant::now(), self.percent.load(Ordering::Relaxed));
            if percent == reported && now < beaten_at + beat_every {
                continue;
            }
            match queue.heartbeat(&self.job, duration, percent).await {
                Ok(true) => {
                    (beaten_at, reported) = (now, percent);
                    kept_until = now + duration;
                }
                Ok(false) => self.stop(StopReason::LeaseLost),
                Err(error) => {
                    let JobLease { kind, id, .. } = &*self.job;
                    if Instant::now() < kept_until {
                        tracing::warn!(%error, kind, %id, "a job could not extend its lease");
                    } else {
                        tracing::warn!(%error, kind, %id, "a job lost its lease");
                        self.stop(StopReason::DatabaseAway);
                    }
                }
            }
        }
    }
}
