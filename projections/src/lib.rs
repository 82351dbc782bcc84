//! The read side: the runner, and one file per read model with its fold, its SQL and its queries.

pub mod backtests;
mod bulk;
mod checkpoints;
pub mod dead_letters;
pub mod equity_curves;
mod feed;
pub mod ledger;
pub mod metric;
pub mod page;
mod read_model;
pub mod rebuild;
mod row;
mod run_rows;
pub mod runner;
mod stateful;
pub mod status;
pub mod strategies;
pub mod strategy_versions;
pub mod sweep_results;
pub mod sweeps;
mod tables;
pub mod trades;
mod waiting;

use std::{collections::BTreeMap, time::Duration};

use infra::postgres::Database;

pub use waiting::Behind;

/// The queries of every read model; clones share the pool and what the local runner tells.
#[derive(Clone)]
pub struct ReadModels {
    pub(crate) database: Database,
    pub(crate) progress: waiting::Progress,
    pub(crate) read_wait: Duration,
    pub(crate) on_poison: BTreeMap<&'static str, runner::OnPoison>,
}

impl ReadModels {
    /// The read models in `database`.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self {
            database,
            progress: waiting::Progress::new(),
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
