//! Executors: the work that the log asks for, done under leases.
//!
//! The story of an attempt, from pick to end:
//!
//! 1. An event asks for a job, and the **source** ([`source`]: the log, or Kafka's topics) puts it into the queue
//!    (`infra::postgres::jobs`) and wakes the pool's worker.
//! 2. The **worker** ([`worker`]) of the pool picks a job while it has room: the queue leases it. From now on the **lease**
//!    ([`lease`]) is kept by heartbeats, which also carry the progress. It stops the work when the lease is lost, the
//!    process ends, or the log says that the job is over.
//! 3. The kind's [`Work`](work::Work) does the rest. If the job has an aggregate it makes an **attempt** ([`attempt`]): it loads the
//!    stream, gives up a job that is over, cancelled or exhausted, and claims it by an event. The conflict of that append is
//!    the mutex between executors; the lease only keeps most of them from trying. A backtest holds its claim for a moment: if it
//!    is over by then, claim and result are one append.
//! 4. It works, on the async threads or off them, and appends what comes of it. A job that cannot succeed, or whose
//!    cancellation was asked for, is concluded by an event.
//! 5. What the work returned decides about the job's row ([`failure::AttemptOutcome`]): a finished job leaves the queue; one
//!    that was stopped is released, which does not count as an attempt, also if it hangs; after an outage of the database it is released as
//!    soon as that is back; after any other error it is ready again after a pause, and the attempt counts; a lost lease is
//!    left alone. A process that dies does none of this: its leases run out, and the attempts count.
//!
//! A new kind of job is a `JobKind` in `infra::postgres::jobs`, a folder here with its [`Work`](work::Work), and a line in [`start`].

mod attempt;
mod backtest;
mod executor;
mod failure;
mod lease;
mod source;
mod sweep;
mod work;
mod worker;

pub use executor::{ExecutorOptions, JobSource, SweepOptions};

use std::sync::Arc;

use infra::{
    postgres::jobs::{JobQueue, KINDS},
    process::Pulse,
};
use tokio::{sync::watch, task::JoinHandle};

use self::{
    backtest::Backtests, executor::Executor, source::Source, sweep::Sweeps, worker::Worker,
};
use crate::handle::Commands;

/// The executor of this process at work.
pub struct RunningExecutor {
    /// Ends once the stop was asked for and the work in hand has been released.
    pub task: JoinHandle<()>,
    /// How each of its loops is, by name.
    pub pulses: Vec<(&'static str, Pulse)>,
}

/// Starts the executor of this process; it ends after `stop` changes to true, having released the work in hand.
#[must_use]
pub fn start(
    commands: Commands,
    options: ExecutorOptions,
    stop: watch::Receiver<bool>,
) -> RunningExecutor {
    let queue = JobQueue::new(commands.store.database().clone(), &KINDS);
    let executor = Arc::new(Executor { commands: commands.clone(), queue, options });
    let (concurrency, sweeps) = (executor.options.concurrency, executor.options.sweeps);
    let backtests = Backtests { commands: commands.clone() };
    let workers = [
        Worker::of(&executor, concurrency, backtests),
        Worker::of(&executor, sweeps.concurrency, Sweeps { commands, threads: sweeps.threads }),
    ];
    let pools = workers.iter().map(|worker| (worker.pool, Arc::clone(&worker.waiting)));
    let source = Source { executor, pools: pools.collect(), pulse: Pulse::default() };
    let mut pulses = vec![("source", source.pulse.clone())];
    pulses.extend(workers.iter().map(|worker| (worker.pool, worker.pulse.clone())));
    let [runs, sweeps] = workers.map(|worker| worker.run(stop.clone()));
    let task = tokio::spawn(async move {
        tokio::join!(source.run(stop), runs, sweeps);
    });
    RunningExecutor { task, pulses }
}
