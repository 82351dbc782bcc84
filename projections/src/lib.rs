//! The read side: the runner, and one file per read model with its fold, its SQL and its queries.

pub mod backtests;
pub mod equity_curves;
pub mod ledger;
pub mod page;
pub mod runner;
pub mod strategies;
pub mod strategy_versions;
pub mod trades;

use infra::postgres::Database;

/// The queries of every read model; clones share the pool.
#[derive(Clone)]
pub struct ReadModels {
    pub(crate) database: Database,
}

impl ReadModels {
    /// The read models in `database`.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { database }
    }
}
