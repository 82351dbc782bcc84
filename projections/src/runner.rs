//! The runner: feeds events to every read model in batches, rows and checkpoint in one transaction.

use infra::postgres::EventStore;
use tokio::{sync::watch, task::JoinHandle};

use crate::ReadModels;

/// Starts one follower per read model; ends after `stop` changes to true.
#[must_use]
pub fn start(
    _read_models: ReadModels,
    _store: EventStore,
    _stop: watch::Receiver<bool>,
) -> JoinHandle<()> {
    todo!()
}
