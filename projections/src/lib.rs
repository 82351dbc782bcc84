//! The read side: the runner, the read models and what their SQL is made of.

mod models;
mod read_model;
pub mod runner;
mod sql;

use std::{collections::BTreeMap, time::Duration};

use infra::postgres::Database;

pub use models::{
    backtests::{self, metric},
    equity_curves, ledger, strategies, strategy_versions, sweep_results, sweeps, trades,
};
pub use runner::{dead_letters, rebuild, status, waiting::Behind};
pub use sql::page;

/// The queries of every read model; clones share the pool and what the local runner tells.
#[derive(Clone)]
pub struct ReadModels {
    pub(crate) database: Database,
    pub(crate) progress: runner::waiting::Progress,
    pub(crate) read_wait: Duration,
    pub(crate) on_poison: BTreeMap<&'static str, runner::OnPoison>,
}

impl ReadModels {
    /// The read models in `database`.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self {
            database,
            progress: runner::waiting::Progress::new(),
            read_wait: Duration::from_secs(2),
            on_poison: BTreeMap::new(),
        }
    }

    /// How long a read of a run's trades, ledger or equity waits for its read model (2 s unless set).
    #[must_use]
    pub fn with_read_wait(self, read_wait: Duration) -> Self {
        Self { read_wait, ..self }
    }
}
