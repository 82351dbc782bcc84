//! Where jobs come from: the log itself, or the topics that the relay fills from it. Workers are woken when something waits.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use infra::{
    kafka::consumer::JobConsumer,
    pace::Pace,
    postgres::{DatabaseError, jobs::JobQueue},
    process::{self, Pulse},
};
use tokio::sync::{Notify, watch};

use super::{
    executor::{Executor, JobSource},
    worker::LOOK_EVERY,
};

/// It rests four times as long as its last look at the queue took, but not for longer than this: requests that come meanwhile are
/// queued at once.
const REST_SHARE: u32 = 4;
const REST_MAX: Duration = Duration::from_millis(10);

/// Looks after the queue for all pools of this process.
pub(super) struct Source {
    pub(super) executor: Arc<Executor>,
    /// Notified of what waits, by pool.
    pub(super) pools: BTreeMap<&'static str, Arc<Notify>>,
    pub(super) pulse: Pulse,
}

impl Source {
    /// Runs until `stop` is true.
    pub(super) async fn run(self, stop: watch::Receiver<bool>) {
        match self.executor.options.source.clone() {
            JobSource::Log => self.look(&Notify::new(), stop).await,
            JobSource::Kafka { options, creates_topics } => {
                let queued = Arc::new(Notify::new());
                let store = self.executor.commands.store.clone();
                let queue = self.executor.queue.clone();
                let consumer = JobConsumer {
                    options,
                    creates_topics,
                    store,
                    queue,
                    queued: Arc::clone(&queued),
                };
                // It never waits for a job, nor a job for it.
                tokio::join!(self.look(&queued, stop.clone()), consumer.run(stop));
            }
        }
    }

    /// Looks at the queue whenever something may wait: an event asked for a job, a message came, a lease was freed. Leases also
    /// run out silently, and a wake-up is only a hint.
    async fn look(&self, queued: &Notify, mut stop: watch::Receiver<bool>) {
        let mut wakeups = self.executor.commands.store.job_wakeups();
        while !*stop.borrow() {
            wakeups.mark_unchanged();
            let pace = Pace::begin(REST_SHARE, REST_MAX);
            match self.find(&self.executor.queue).await {
                Ok(is_behind) => {
                    self.pulse.beat();
                    if is_behind {
                        continue;
                    }
                    pace.rest(&mut stop).await;
                }
                Err(error) => {
                    tracing::warn!(%error, "the queue of jobs cannot be followed for now");
                    self.pulse.fail(error);
                }
            }
            tokio::select! {
                Ok(()) = wakeups.changed() => {}
                () = queued.notified() => {}
                () = process::stopped(&mut stop) => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// Queues what the log asks for, if that is the source, and wakes the pools in which something waits; true if there is
    /// more to queue at once.
    async fn find(&self, queue: &JobQueue) -> Result<bool, DatabaseError> {
        let (waiting, is_behind) = match self.executor.options.source {
            JobSource::Log => {
                let followed = queue.follow().await?;
                if let Some(ahead) = &followed.ahead {
                    self.executor.commands.store.note_ahead(ahead);
                }
                (followed.waiting, followed.is_behind)
            }
            JobSource::Kafka { .. } => (queue.waiting().await?, false),
        };
        for pool in waiting.iter().filter_map(|pool| self.pools.get(pool.as_str())) {
            pool.notify_one();
        }
        Ok(is_behind)
    }
}
