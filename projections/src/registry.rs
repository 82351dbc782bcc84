//! The list of read models: a new one is added here, and nowhere else.

use std::{collections::BTreeMap, time::Duration};

use infra::postgres::Database;

use crate::{
    error::UnknownReadModel,
    handle::ReadModels,
    models::{backtests, ledger, strategies, strategy_versions, streams, sweeps, trades},
    read_model::ReadModel,
    runner::progress::Progress,
};

/// Every read model.
pub(crate) const READ_MODELS: [&ReadModel; 7] = [
    &strategies::READ_MODEL,
    &strategy_versions::READ_MODEL,
    &backtests::READ_MODEL,
    &ledger::READ_MODEL,
    &trades::READ_MODEL,
    &sweeps::READ_MODEL,
    &streams::READ_MODEL,
];

/// The names of all read models.
pub const NAMES: [&str; READ_MODELS.len()] = {
    let mut names = [""; READ_MODELS.len()];
    let mut i = 0;
    while i < names.len() {
        names[i] = READ_MODELS[i].name;
        i += 1;
    }
    names
};

/// The read model of that name.
pub(crate) fn find(name: &str) -> Result<&'static ReadModel, UnknownReadModel> {
    let found = READ_MODELS.into_iter().find(|model| model.name == name);
    found.ok_or_else(|| UnknownReadModel(name.to_owned()))
}

impl ReadModels {
    /// The read models in `database`.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self {
            database,
            progress: Progress::new(&READ_MODELS),
            read_wait: Duration::from_secs(2),
            on_poison: BTreeMap::new(),
        }
    }
}
