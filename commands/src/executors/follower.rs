//! Looks after the run queue and starts runs while there is room.

use std::{ops::ControlFlow, sync::Arc, time::Duration};

use infra::postgres::DatabaseError;
use tokio::{sync::watch, task::JoinSet};

use super::{Executor, run, work::Work};

/// How often the queue is looked at when nothing wakes: leases run out silently, and a wake-up is only a hint.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Runs until `stop` is true and the runs in hand have been released.
pub(super) async fn follow(executor: Arc<Executor>, mut stop: watch::Receiver<bool>) {
    let database = executor.commands.store.database();
    let work = Work::start(&executor.options.source, database, &stop);
    let mut wakeups = executor.commands.store.wakeups();
    let mut freed = executor.commands.store.run_wakeups();
    let mut runs = JoinSet::new();
    while !*stop.borrow_and_update() {
        wakeups.mark_unchanged();
        freed.mark_unchanged();
        match look(&executor, &work, &stop, &mut runs).await {
            Ok(ControlFlow::Continue(())) => {
                executor.options.pulse.beat();
                continue;
            }
            Ok(ControlFlow::Break(())) => executor.options.pulse.beat(),
            Err(error) => {
                tracing::warn!(%error, "the run queue cannot be followed for now");
                executor.options.pulse.fail(error);
            }
        }
        tokio::select! {
            woken = wakeups.changed() => {
                if woken.is_err() {
                    break;
                }
            }
            Ok(()) = freed.changed() => {}
            () = work.queued() => {}
            Some(ended) = runs.join_next() => report(ended),
            stopped = stop.changed() => {
                if stopped.is_err() {
                    break;
                }
            }
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
    while let Some(ended) = runs.join_next().await {
        report(ended);
    }
    work.end().await;
}

/// Queues what was requested and starts what there is room for; `Continue` when there is more to queue.
async fn look(
    executor: &Arc<Executor>,
    work: &Work,
    stop: &watch::Receiver<bool>,
    runs: &mut JoinSet<()>,
) -> Result<ControlFlow<()>, DatabaseError> {
    let options = &executor.options;
    let found = work.look(&executor.queue).await?;
    let mut has_waiting = found.has_waiting;
    while has_waiting && runs.len() < options.concurrency {
        let picked =
            executor.queue.pick(&options.name, options.lease, options.running_per_user_max).await?;
        has_waiting = picked.is_some();
        if let Some(lease) = picked {
            runs.spawn(run::run(Arc::clone(executor), lease, stop.clone()));
        }
    }
    Ok(if found.is_behind { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a run ended without giving its lease back");
    }
}
