//! Executors: follow the log into the run queue, claim runs, simulate, append ledgers.

use std::time::Duration;

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
}

/// Progress of runs, for whoever watches; not facts, so never events.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    pub backtest_id: domain::ids::BacktestId,
    /// 0 to 100.
    pub percent: u8,
    pub equity: f64,
}

/// Starts follower and runs; ends after `stop` changes to true, having finished or released the work in hand.
#[must_use]
pub fn start(
    _commands: Commands,
    _options: ExecutorOptions,
    _stop: watch::Receiver<bool>,
) -> JoinHandle<()> {
    todo!()
}
