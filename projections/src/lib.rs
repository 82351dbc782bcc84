//! The read side: the runner, and one file per read model with its fold, its SQL and its queries.

pub mod backtests;
mod checkpoints;
pub mod equity_curves;
pub mod ledger;
pub mod metric;
pub mod page;
mod row;
pub mod runner;
pub mod strategies;
pub mod strategy_versions;
pub mod trades;
mod waiting;

use std::time::Duration;

use infra::postgres::Database;

pub use waiting::Behind;

/// Every read model: its name and the table that this binary reads and writes.
pub(crate) const READ_MODELS: [(&str, &str); 6] = [
    (strategies::NAME, strategies::TABLE),
    (strategy_versions::NAME, strategy_versions::TABLE),
    (backtests::NAME, backtests::TABLE),
    (ledger::NAME, ledger::TABLE),
    (trades::NAME, trades::TABLE),
    (equity_curves::NAME, equity_curves::TABLE),
];

/// The queries of every read model; clones share the pool and what the local runner tells.
#[derive(Clone)]
pub struct ReadModels {
    pub(crate) database: Database,
    pub(crate) progress: waiting::Progress,
    pub(crate) read_wait: Duration,
}

impl ReadModels {
    /// The read models in `database`.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { database, progress: waiting::Progress::new(), read_wait: Duration::from_secs(2) }
    }

    /// How long a read of a run's trades, ledger or equity waits for its read model (2 s unless set).
    #[must_use]
    pub fn with_read_wait(self, read_wait: Duration) -> Self {
        Self { read_wait, ..self }
    }
}

/// The table of the read model of that name, without its schema; the name itself where there is none.
pub(crate) fn table_of(name: &'static str) -> &'static str {
    READ_MODELS.iter().find(|(known, _)| *known == name).map_or(name, |(_, table)| table)
}
