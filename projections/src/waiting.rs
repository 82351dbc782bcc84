//! Read your writes: waits until read models have passed a position, told by the local runner or by their checkpoints.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::{sync::watch, time};

use crate::{ReadModels, checkpoints, read_model};

/// How often the checkpoints are read where another process projects.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// A read model did not reach the position in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{read_model} is behind position {position}")]
pub struct Behind {
    pub read_model: &'static str,
    pub position: i64,
}

/// How far each read model is, as far as this process knows.
#[derive(Clone)]
pub(crate) struct Progress {
    positions: Arc<BTreeMap<&'static str, watch::Sender<i64>>>,
}

impl Progress {
    pub(crate) fn new() -> Self {
        let senders = read_model::READ_MODELS.map(|model| (model.name, watch::Sender::new(0)));
        Self { positions: Arc::new(senders.into_iter().collect()) }
    }

    /// Tells the waiters that the read model has all events up to `position`.
    pub(crate) fn advance(&self, read_model: &str, position: i64) {
        if let Some(sender) = self.positions.get(read_model) {
            sender.send_if_modified(|known| {
                let is_news = position > *known;
                *known = position.max(*known);
                is_news
            });
        }
    }
}

impl ReadModels {
    /// Waits until all named read models (`backtests::NAME`, …) have passed `position`.
    ///
    /// # Errors
    /// [`Behind`] at the bound, or for a name that is none.
    pub async fn wait_for(
        &self,
        read_models: &[&'static str],
        position: i64,
        bound: Duration,
    ) -> Result<(), Behind> {
        let deadline = time::Instant::now() + bound;
        for read_model in read_models {
            let behind = || Behind { read_model, position };
            let sender = self.progress.positions.get(read_model).ok_or_else(behind)?;
            let mut receiver = sender.subscribe();
            let reached = async {
                tokio::select! {
                    passed = receiver.wait_for(|known| *known >= position) => passed.is_ok(),
                    () = self.watch_checkpoint(read_model, position) => true,
                }
            };
            let is_known = *sender.borrow() >= position;
            if !is_known && !time::timeout_at(deadline, reached).await.unwrap_or(false) {
                return Err(behind());
            }
        }
        Ok(())
    }

    /// Waits at most the bound that was set for reads.
    pub(crate) async fn wait_to_read(
        &self,
        read_model: &'static str,
        position: i64,
    ) -> Result<(), Behind> {
        self.wait_for(&[read_model], position, self.read_wait).await
    }

    /// Ends when the stored checkpoint has passed `position`: another process may be the one that projects.
    async fn watch_checkpoint(&self, read_model: &'static str, position: i64) {
        let table = read_model::find(read_model).map_or(read_model, |model| model.table);
        let mut ticks = time::interval(POLL_INTERVAL);
        ticks.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
        ticks.tick().await;
        loop {
            ticks.tick().await;
            match checkpoints::load(&self.database, table).await {
                Ok(Some(checkpoint)) => {
                    self.progress.advance(read_model, checkpoint.position);
                    if checkpoint.position >= position {
                        return;
                    }
                }
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, read_model, "cannot read the checkpoint"),
            }
        }
    }
}
