//! Sweeps: computed whole off the async threads; their rows are written before the completion that names them.

use std::sync::{Arc, atomic::Ordering};

use domain::{
    ids::SweepId,
    simulation::{ENGINE_VERSION, sweep::CancelToken},
    sweep::{Sweep, SweepCommand, SweepCompletion},
};
use infra::postgres::{
    event_store::Priority,
    jobs::{JobKind, SWEEP},
    sweep_results,
};
use tokio::{task::JoinError, time};

use super::{
    attempt::Attempt,
    failure::{Failure, Finished},
    lease::{Lease, PROGRESS_EVERY},
    work::Work,
};
use crate::{
    error::CommandError,
    handle::Commands,
    sweep_run::{SweepOutcome, SweepRun, SweepRunError},
};

/// Attempts before a sweep fails: each does all of the work anew.
const ATTEMPTS_MAX: u32 = 3;

/// The work of sweeps.
pub(super) struct Sweeps {
    pub(super) commands: Commands,
    /// Of each sweep.
    pub(super) threads: usize,
}

impl Work for Sweeps {
    const KIND: JobKind = SWEEP;

    async fn work(&self, lease: &Lease) -> Result<Finished, Failure> {
        let loaded = Attempt::<Sweep>::load(&self.commands.store, lease).await?;
        let Some(mut attempt) = loaded else { return Ok(Finished::Before) };
        let done = self.complete(&mut attempt).await;
        let finished = attempt.conclude(done).await?;
        if finished != Finished::Completed {
            self.remove_rows(&attempt).await?;
        }
        Ok(finished)
    }
}

impl Sweeps {
    /// From the start, which is the claim, to the result.
    async fn complete(&self, attempt: &mut Attempt<'_, Sweep>) -> Result<(), Failure> {
        let lease = attempt.lease;
        let reason = format!("{ATTEMPTS_MAX} attempts brought no result");
        attempt.admit(lease.job.attempt > ATTEMPTS_MAX, &reason)?;
        let watching = attempt.watch();
        let work = lease.within(self.prepare(attempt)).await?;
        drop(watching);
        let (dataset, engine_version) = (work.dataset.clone(), ENGINE_VERSION.to_owned());
        let claim = attempt.claim.clone();
        let start = SweepCommand::Start { claim, dataset, engine_version };
        attempt.advance(start, Vec::new(), Priority::Interactive).await?;
        let completion = self.compute(work, lease).await?;
        let command = SweepCommand::Complete { claim: attempt.claim.clone(), completion };
        attempt.advance(command, Vec::new(), Priority::Interactive).await
    }

    /// The candles of the pinned revision, or of the published one if none is pinned yet.
    async fn prepare(&self, attempt: &Attempt<'_, Sweep>) -> Result<SweepRun, Failure> {
        let job = attempt.job()?;
        let (request, pinned) = (job.request.clone(), job.dataset.clone());
        let revision = pinned.as_ref().map(|dataset| dataset.revision);
        let candles = &self.commands.candles;
        let series = candles.series(&request.run.symbol, request.run.timeframe, revision).await?;
        let series = series.ok_or_else(|| Failure::from(SweepRunError::NoCandles))?;
        let warmup_rows = pinned.as_ref().map(|dataset| dataset.warmup_rows);
        let warnings = series.warnings.to_vec();
        let prepared = tokio::task::spawn_blocking(move || {
            SweepRun::prepare(request, &series.candles, series.revision, warmup_rows)
        });
        let work = prepared.await.map_err(internal)??.warn(warnings);
        Failure::unless_same(pinned.as_ref(), &work.dataset)?;
        Ok(work)
    }

    /// Computes off the async threads and writes the rows.
    async fn compute(
        &self,
        work: SweepRun,
        lease: &Lease,
    ) -> Result<Box<SweepCompletion>, Failure> {
        let token = Arc::new(CancelToken::default());
        // Also when this future is dropped: the threads must not outlive the attempt by long.
        let _cancelling = Cancelling(Arc::clone(&token));
        let (total, objective) = (work.runs_count(), work.request.spec.objective.clone());
        let (threads, shared) = (self.threads, Arc::clone(&token));
        let mut computing = tokio::task::spawn_blocking(move || work.compute(threads, &shared));
        let writing = async {
            let SweepOutcome { rows, completion } = (&mut computing).await.map_err(internal)??;
            let (database, hash) = (self.commands.store.database(), &completion.result_hash);
            let sweep_id = SweepId::new(lease.job.id);
            sweep_results::write(database, sweep_id, hash, &rows, &objective).await?;
            Ok(completion)
        };
        let reporting = async {
            loop {
                lease.set_percent(percent(token.done.load(Ordering::Relaxed), total));
                time::sleep(PROGRESS_EVERY).await;
            }
        };
        let done = tokio::select! {
            done = lease.within(writing) => done,
            never = reporting => never,
        };
        if done.is_err() && !computing.is_finished() {
            token.is_cancelled.store(true, Ordering::Relaxed);
            computing.await.map_err(internal)?.ok();
        }
        done
    }

    /// Removes what attempts at a sweep that is over wrote, but for its result. While another executor has the sweep, the rows
    /// may be what it is about to name.
    async fn remove_rows(&self, attempt: &Attempt<'_, Sweep>) -> Result<(), Failure> {
        let live = attempt.history.loaded.aggregate.live.as_ref().filter(|live| !live.is_deleted);
        let result_hash = live.and_then(|live| live.result_hash.as_deref());
        let sweep_id = SweepId::new(attempt.lease.job.id);
        let database = self.commands.store.database();
        Ok(sweep_results::keep_only(database, sweep_id, result_hash).await?)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn internal(error: JoinError) -> CommandError {
    CommandError::Internal(error.to_string())
}

/// Cancels the computation when it goes out of scope.
struct Cancelling(Arc<CancelToken>);

impl Drop for Cancelling {
    fn drop(&mut self) {
        self.0.is_cancelled.store(true, Ordering::Relaxed);
    }
}

/// Below 100: only a completed sweep is whole.
fn percent(done: usize, total: usize) -> u8 {
    let percent = done.saturating_mul(100).checked_div(total).unwrap_or(0);
    u8::try_from(percent.min(99)).unwrap_or(99)
}
