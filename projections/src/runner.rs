//! The runner: feeds events to every read model in batches, rows and checkpoint in one transaction.

use std::time::Duration;

use infra::postgres::EventStore;
use tokio::{sync::watch, task::JoinHandle};

use crate::ReadModels;

/// Starts one follower per read model; ends after `stop` changes to true.
#[must_use]
pub fn start(_store: EventStore, _stop: watch::Receiver<bool>) -> JoinHandle<()> {
    todo!()
}

/// A read model did not reach the position in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{read_model} is behind position {position}")]
pub struct Behind {
    pub read_model: &'static str,
    pub position: i64,
}

impl ReadModels {
    /// Waits until all named read models have passed `position`.
    ///
    /// # Errors
    /// [`Behind`] at the bound.
    pub async fn wait_for(
        &self,
        _read_models: &[&'static str],
        _position: i64,
        _bound: Duration,
    ) -> Result<(), Behind> {
        let _ = &self.database;
        todo!()
    }
}
