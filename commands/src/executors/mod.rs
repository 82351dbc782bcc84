//! Executors: take requested runs into the run queue, claim them, simulate, append ledgers.

mod control;
mod follower;
mod interruption;
mod ledger;
mod prepare;
mod run;
mod simulate;
mod standing;
mod sweeps;
mod work;

pub use work::WorkSource;

use std::{sync::Arc, time::Duration};

use infra::{postgres::run_queue::RunQueue, process::Pulse};
use tokio::{sync::watch, task::JoinHandle};

use crate::Commands;

/// How the executor of this process works.
#[derive(Debug, Clone)]
pub struct ExecutorOptions {
    /// This process's name in leases and claims, unique.
    pub name: String,
    /// Runs at a time.
    pub concurrency: usize,
    pub lease: Duration,
    pub running_per_user_max: i64,
    pub sweeps: SweepOptions,
    /// Where it tells how it is.
    pub pulse: Pulse,
    pub source: WorkSource,
}

/// How it runs sweeps: beside the backtests, so that neither takes the other's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SweepOptions {
    /// Sweeps at a time.
    pub concurrency: usize,
    /// Of each sweep.
    pub threads: usize,
}

/// What the parts of an executor share.
struct Executor {
    commands: Commands,
    queue: RunQueue,
    options: ExecutorOptions,
}

/// Starts the executor of this process; ends after `stop` changes to true, having released the work in hand.
#[must_use]
pub fn start(
    commands: Commands,
    options: ExecutorOptions,
    stop: watch::Receiver<bool>,
) -> JoinHandle<()> {
    let queue = RunQueue::new(commands.store.database().clone());
    let executor = Arc::new(Executor { commands, queue, options });
    let sweeps = sweeps::follow(Arc::clone(&executor), stop.clone());
    tokio::spawn(async move {
        tokio::join!(follower::follow(executor, stop), sweeps);
    })
}
