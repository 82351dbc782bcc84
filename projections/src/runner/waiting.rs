//! Read your writes: waits until read models have passed a position, told by the local runner or by their checkpoints.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use infra::process::Pulse;
use tokio::{
    sync::{Mutex, watch},
    time,
};

use crate::{ReadModels, read_model, runner::checkpoints, sql::page::QueryError};

/// How often a checkpoint is read where only other processes project.
const POLL_INTERVAL: Duration = Duration::from_millis(5);
/// How often it is read where this process projects too: another may still be the one that moves it.
const POLL_INTERVAL_BESIDE_RUNNER: Duration = Duration::from_millis(100);

/// Where a stream begins.
const BIRTH: &str = "SELECT position FROM events WHERE aggregate_type = $1 AND aggregate_id = $2 \
    ORDER BY sequence LIMIT 1";

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
    known: Arc<BTreeMap<&'static str, Known>>,
    runners: Arc<AtomicUsize>,
}

/// What is known of one read model.
struct Known {
    position: watch::Sender<i64>,
    /// Held by the waiter that reads the checkpoint for all of them.
    turn: Mutex<()>,
    /// Of the follower in this process.
    pulse: Pulse,
}

/// Counts as a runner of this process until it is dropped.
pub(crate) struct RunnerPresence(Arc<AtomicUsize>);

impl Drop for RunnerPresence {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Progress {
    pub(crate) fn new() -> Self {
        let known = read_model::READ_MODELS.map(|model| {
            let position = watch::Sender::new(0);
            (model.name, Known { position, turn: Mutex::new(()), pulse: Pulse::default() })
        });
        Self { known: Arc::new(known.into_iter().collect()), runners: Arc::default() }
    }

    /// Says that a runner of this process tells what it does.
    pub(crate) fn runner_started(&self) -> RunnerPresence {
        self.runners.fetch_add(1, Ordering::Relaxed);
        RunnerPresence(Arc::clone(&self.runners))
    }

    /// How the follower of this process is.
    pub(crate) fn pulse(&self, read_model: &str) -> Option<&Pulse> {
        self.known.get(read_model).map(|known| &known.pulse)
    }

    fn poll_interval(&self) -> Duration {
        let has_runner = self.runners.load(Ordering::Relaxed) > 0;
        if has_runner { POLL_INTERVAL_BESIDE_RUNNER } else { POLL_INTERVAL }
    }

    /// Tells the waiters that the read model has all events up to `position`.
    pub(crate) fn advance(&self, read_model: &str, position: i64) {
        if let Some(known) = self.known.get(read_model) {
            known.position.send_if_modified(|known| {
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
            let known = self.progress.known.get(read_model).ok_or_else(behind)?;
            let mut receiver = known.position.subscribe();
            let reached = async {
                tokio::select! {
                    biased;
                    passed = receiver.wait_for(|known| *known >= position) => passed.is_ok(),
                    () = self.watch_checkpoint(read_model, &known.turn, position) => true,
                }
            };
            if !time::timeout_at(deadline, reached).await.unwrap_or(false) {
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

    /// Whether a row that was not found may be there by now: the log knows its stream, and the read model has passed
    /// the stream's first event.
    pub(crate) async fn has_been_born(
        &self,
        read_model: &'static str,
        aggregate_type: &str,
        aggregate_id: &str,
    ) -> Result<bool, QueryError> {
        let client = self.database.get().await?;
        let statement = client.prepare_cached(BIRTH).await?;
        let found = client.query_opt(&statement, &[&aggregate_type, &aggregate_id]).await?;
        drop(client);
        let Some(birth) = found else { return Ok(false) };
        self.wait_to_read(read_model, birth.try_get(0)?).await?;
        Ok(true)
    }

    /// Ends when the stored checkpoint has passed `position`: another process may be the one that projects.
    async fn watch_checkpoint(&self, read_model: &'static str, turn: &Mutex<()>, position: i64) {
        let table = read_model::find(read_model).map_or(read_model, |model| model.table);
        // The others hear of what this one reads.
        let _turn = turn.lock().await;
        loop {
            time::sleep(self.progress.poll_interval()).await;
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
