//! The handle on the read models that queries, waiters and the runner share.

use std::{collections::BTreeMap, time::Duration};

use infra::postgres::Database;

use crate::runner::progress::Progress;

/// The queries of every read model; clones share the pool and what the local runner reports.
#[derive(Clone)]
pub struct ReadModels {
    pub(crate) database: Database,
    pub(crate) progress: Progress,
    pub(crate) read_wait: Duration,
    pub(crate) on_poison: BTreeMap<&'static str, OnPoison>,
}

/// What a projection does after an event that it cannot fold, which is kept as a dead letter in any case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnPoison {
    /// The projection stops before the event until that is retried or discarded.
    #[default]
    Stop,
    /// The projection continues without it.
    GoOn,
}

impl ReadModels {
    /// Sets how long a read of a run's trades or ledger waits for its read model; defaults to 2 s.
    #[must_use]
    pub fn with_read_wait(self, read_wait: Duration) -> Self {
        Self { read_wait, ..self }
    }
}
