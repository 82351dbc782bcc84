//! The options of an executor, and what its parts share.

use std::time::Duration;

use infra::{kafka::KafkaOptions, postgres::jobs::JobQueue};

use crate::handle::Commands;

/// How the executor of this process works.
#[derive(Debug, Clone)]
pub struct ExecutorOptions {
    /// This process's name in leases and claims, unique.
    pub name: String,
    /// Runs at a time.
    pub concurrency: usize,
    pub lease: Duration,
    /// In each pool.
    pub running_per_user_max: i64,
    pub sweeps: SweepOptions,
    pub source: JobSource,
}

/// How it runs sweeps: beside the backtests, so that neither takes the other's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SweepOptions {
    /// Sweeps at a time.
    pub concurrency: usize,
    /// Of each sweep.
    pub threads: usize,
}

/// What fills the queue of jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobSource {
    /// The executors, from the log.
    Log,
    /// The executors as a consumer group. It creates the topics if `creates_topics`; otherwise it waits for them.
    Kafka { options: KafkaOptions, creates_topics: bool },
}

/// What the parts of an executor share.
pub(super) struct Executor {
    pub(super) commands: Commands,
    pub(super) queue: JobQueue,
    pub(super) options: ExecutorOptions,
}
