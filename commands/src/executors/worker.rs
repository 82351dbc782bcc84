//! The loop of a pool: leases its jobs while there is room, has their work done, and settles what becomes of their rows.

use std::{collections::BTreeMap, pin::Pin, sync::Arc, time::Duration};

use infra::{
    postgres::{DatabaseError, jobs::JobLease},
    process::{self, Pulse},
    telemetry,
};
use metrics::histogram;
use tokio::{
    sync::{Notify, watch},
    task::{JoinError, JoinSet},
    time::Instant,
};

use super::{
    executor::Executor,
    failure::{AttemptOutcome, Failure, Finished},
    lease::Lease,
    work::Work,
};

/// How often a loop shows that it is alive, and tries again what the database refused.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long work may go on when this process stops: then it is dropped wherever it is, and any executor may begin again.
const STOP_PATIENCE: Duration = Duration::from_secs(2);

/// The worker of a pool in this process.
pub(super) struct Worker {
    executor: Arc<Executor>,
    pub(super) pool: &'static str,
    /// Jobs at a time.
    concurrency: usize,
    /// By the kind's name.
    works: BTreeMap<&'static str, KindOfWork>,
    /// Notified when something in the pool waits.
    pub(super) waiting: Arc<Notify>,
    pub(super) pulse: Pulse,
}

/// The work of a kind, whichever it is.
type KindOfWork = Box<dyn Fn(Lease) -> Working + Send + Sync>;
type Working = Pin<Box<dyn Future<Output = Result<Finished, Failure>> + Send>>;

impl Worker {
    /// For the pool of this work.
    pub(super) fn of<W: Work>(executor: &Arc<Executor>, concurrency: usize, work: W) -> Self {
        let worker = Self {
            executor: Arc::clone(executor),
            pool: W::POOL,
            concurrency,
            works: BTreeMap::new(),
            waiting: Arc::default(),
            pulse: Pulse::default(),
        };
        worker.with(work)
    }

    /// Also does this work; it is of the same pool.
    fn with<W: Work>(mut self, work: W) -> Self {
        let work = Arc::new(work);
        let begin = move |lease: Lease| -> Working {
            let work = Arc::clone(&work);
            Box::pin(async move { work.work(&lease).await })
        };
        self.works.insert(W::KIND.name, Box::new(begin));
        self
    }

    /// Runs until `stop` is true and the jobs in hand have been released.
    pub(super) async fn run(self, mut stop: watch::Receiver<bool>) {
        let worker = Arc::new(self);
        let mut jobs = JoinSet::new();
        // Something may wait, and there may be room for it.
        let mut is_due = true;
        while !*stop.borrow() {
            let picked = if is_due { worker.fill(&mut jobs, &stop).await } else { Ok(()) };
            match picked {
                Ok(()) => {
                    is_due = false;
                    worker.pulse.beat();
                }
                Err(error) => {
                    tracing::warn!(%error, pool = worker.pool, "jobs cannot be picked for now");
                    worker.pulse.fail(error);
                }
            }
            tokio::select! {
                () = worker.waiting.notified() => is_due = true,
                Some(ended) = jobs.join_next() => {
                    report(ended);
                    is_due = true;
                }
                () = process::stopped(&mut stop) => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
        while let Some(ended) = jobs.join_next().await {
            report(ended);
        }
    }

    /// Starts what there is room for.
    async fn fill(
        self: &Arc<Self>,
        jobs: &mut JoinSet<()>,
        stop: &watch::Receiver<bool>,
    ) -> Result<(), DatabaseError> {
        let Executor { queue, options, .. } = &*self.executor;
        let (lease, leased_max) = (options.lease, options.running_per_user_max);
        while jobs.len() < self.concurrency {
            let picked = queue.pick(self.pool, &options.name, lease, leased_max).await?;
            let Some(job) = picked else { break };
            jobs.spawn(Arc::clone(self).attempt(job, stop.clone()));
        }
        Ok(())
    }

    /// One attempt at a leased job, from its first heartbeat to what becomes of its row.
    async fn attempt(self: Arc<Self>, job: JobLease, stop: watch::Receiver<bool>) {
        let Executor { queue, options, .. } = &*self.executor;
        let Some(work) = self.works.get(job.kind.as_str()) else {
            tracing::error!(kind = job.kind, "a job of an unknown kind was picked");
            return;
        };
        let begun = Instant::now();
        let lease = Lease::new(job);
        let kept = lease.clone().keep(queue.clone(), options.lease, stop.clone());
        let mut keeping = JoinSet::new();
        keeping.spawn(kept);
        let done = tokio::select! {
            biased;
            done = work(lease.clone()) => done,
            failure = lease.abandoned(STOP_PATIENCE) => Err(failure),
        };
        keeping.shutdown().await;
        let outcome = AttemptOutcome::of(&done);
        let JobLease { kind, id, attempt, .. } = &*lease.job;
        let labels = [("kind", kind.clone()), ("outcome", outcome.as_str().to_owned())];
        histogram!(telemetry::RUN_SECONDS, &labels).record(begun.elapsed());
        let elapsed = begun.elapsed();
        tracing::debug!(kind, %id, attempt, ?outcome, ?elapsed, "an attempt ended");
        if let (AttemptOutcome::Retried | AttemptOutcome::Outage, Err(error)) = (outcome, done) {
            tracing::error!(%error, kind, %id, attempt, "an attempt failed");
        }
        let settled = match outcome {
            AttemptOutcome::Finished(_) => queue.finish(&lease.job).await,
            AttemptOutcome::Released => queue.release(&lease.job, None).await,
            AttemptOutcome::Ahead => queue.release(&lease.job, Some(options.lease)).await,
            AttemptOutcome::Outage => return self.release_after_outage(&lease.job, stop).await,
            AttemptOutcome::Retried => queue.retry_at(&lease.job, options.lease).await,
            AttemptOutcome::Lost => Ok(false),
        };
        if let Err(error) = settled {
            tracing::warn!(%error, kind, %id, "a lease is left to run out");
        }
    }

    /// Releases the lease however long the database is away: an outage is not the job's fault, so the attempt does not
    /// count. If another executor has the job by then, nothing is lost.
    async fn release_after_outage(&self, job: &JobLease, mut stop: watch::Receiver<bool>) {
        while let Err(error) = self.executor.queue.release(job, None).await {
            let JobLease { kind, id, .. } = job;
            tracing::debug!(%error, kind, %id, "a lease cannot be released yet");
            // A pause that runs out is the next try.
            if tokio::time::timeout(LOOK_EVERY, process::stopped(&mut stop)).await.is_ok() {
                tracing::warn!(%error, kind, %id, "a lease is left to run out");
                return;
            }
        }
    }
}

fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "an attempt ended without giving its lease back");
    }
}
