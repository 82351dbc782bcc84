//! Sweeps: follow the log into their own queue, compute them off the async threads, write rows and the completion.

mod attempt;

use std::{ops::ControlFlow, sync::Arc, time::Duration};

use infra::postgres::{
    DatabaseError,
    sweep_queue::{SweepLease, SweepQueue},
};
use tokio::{sync::watch, task::JoinSet};

use self::attempt::{Attempt, Ended};
use super::Executor;

/// How often the queue is looked at when nothing wakes: leases run out silently, and a wake-up is only a hint.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Between two looks, however often the log wakes: sweeps are rare, and a look reads the log.
const LOOK_PAUSE: Duration = Duration::from_millis(50);

/// Runs until `stop` is true and the sweeps in hand have been released.
pub(super) async fn follow(executor: Arc<Executor>, mut stop: watch::Receiver<bool>) {
    let queue = SweepQueue::new(executor.commands.store.database().clone());
    let mut wakeups = executor.commands.store.wakeups();
    let mut sweeps = JoinSet::new();
    while !*stop.borrow_and_update() {
        wakeups.mark_unchanged();
        match look(&executor, &queue, &stop, &mut sweeps).await {
            Ok(ControlFlow::Continue(())) => continue,
            Ok(ControlFlow::Break(())) => {}
            Err(error) => tracing::warn!(%error, "the sweep queue cannot be followed for now"),
        }
        let woken = async {
            tokio::time::sleep(LOOK_PAUSE).await;
            wakeups.changed().await
        };
        tokio::select! {
            woken = woken => {
                if woken.is_err() {
                    break;
                }
            }
            Some(ended) = sweeps.join_next() => report(ended),
            stopped = stop.changed() => {
                if stopped.is_err() {
                    break;
                }
            }
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
    while let Some(ended) = sweeps.join_next().await {
        report(ended);
    }
}

/// Queues what was requested and starts what there is room for; `Continue` when there is more to queue.
async fn look(
    executor: &Arc<Executor>,
    queue: &SweepQueue,
    stop: &watch::Receiver<bool>,
    sweeps: &mut JoinSet<()>,
) -> Result<ControlFlow<()>, DatabaseError> {
    let options = &executor.options;
    let followed = queue.follow().await?;
    let mut has_waiting = followed.has_waiting;
    while has_waiting && sweeps.len() < options.sweeps.concurrency {
        let picked = queue.pick(&options.name, options.lease, options.running_per_user_max).await?;
        has_waiting = picked.is_some();
        if let Some(lease) = picked {
            sweeps.spawn(run(Arc::clone(executor), queue.clone(), lease, stop.clone()));
        }
    }
    Ok(if followed.is_behind { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
}

/// Works on a leased sweep until it is over or has to be left.
async fn run(
    executor: Arc<Executor>,
    queue: SweepQueue,
    lease: SweepLease,
    stop: watch::Receiver<bool>,
) {
    let sweep_id = lease.sweep_id;
    let ended = Attempt::make(&executor, &queue, &lease, stop).await;
    tracing::debug!(?ended, %sweep_id, attempt = lease.attempt, "an attempt at a sweep ended");
    let row = match ended {
        Ok(Ended::Over) => queue.remove(&lease).await,
        Ok(Ended::GivenBack) => queue.release(&lease).await,
        Ok(Ended::Lost) => Ok(false),
        Err(error) => {
            tracing::error!(%error, %sweep_id, attempt = lease.attempt, "an attempt at a sweep failed");
            return;
        }
    };
    if let Err(error) = row {
        tracing::warn!(%error, %sweep_id, "a sweep's lease is left to run out");
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a sweep ended without giving its lease back");
    }
}
