//! Read your writes: waits until read models have passed a position, as the local runner or their checkpoints report.

use std::time::Duration;

use tokio::time;

use crate::{
    error::{Behind, QueryError},
    handle::ReadModels,
    runner::{checkpoints, progress::KnownProgress},
};

/// How often a checkpoint is read where only other processes project.
const POLL_INTERVAL: Duration = Duration::from_millis(5);
/// How often it is read where this process projects too: another may still be the one that moves it.
const POLL_INTERVAL_BESIDE_RUNNER: Duration = Duration::from_millis(100);

/// The position of a stream's first event.
const FIRST_POSITION: &str = "SELECT position FROM events WHERE aggregate_type = $1 AND aggregate_id = $2 \
    ORDER BY sequence LIMIT 1";

impl ReadModels {
    /// Waits until all named read models (`backtests::NAME`, …) have passed `position`.
    ///
    /// # Errors
    /// [`Behind`] at the bound, or if there is no such read model.
    pub async fn wait_for(
        &self,
        read_models: &[&'static str],
        position: i64,
        bound: Duration,
    ) -> Result<(), Behind> {
        let deadline = time::Instant::now() + bound;
        for read_model in read_models {
            let behind = || Behind { read_model, position };
            let known = self.progress.of(read_model).ok_or_else(behind)?;
            let mut receiver = known.position.subscribe();
            let reached = async {
                tokio::select! {
                    biased;
                    passed = receiver.wait_for(|known| *known >= position) => passed.is_ok(),
                    () = self.watch_checkpoints(known, position) => true,
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

    /// Returns whether the log knows the stream, after waiting until the read model has passed its first event: a row that
    /// was not found may be there by now.
    pub(crate) async fn stream_exists(
        &self,
        read_model: &'static str,
        aggregate_type: &str,
        aggregate_id: &str,
    ) -> Result<bool, QueryError> {
        let client = self.database.for_log().get().await?;
        let statement = client.prepare_cached(FIRST_POSITION).await?;
        let found = client.query_opt(&statement, &[&aggregate_type, &aggregate_id]).await?;
        drop(client);
        let Some(first) = found else { return Ok(false) };
        self.wait_to_read(read_model, first.try_get(0)?).await?;
        Ok(true)
    }

    /// Ends when the stored checkpoint has passed `position`: another process may be the one that projects. What is read of the
    /// others is noted, too, for a command waits for several.
    async fn watch_checkpoints(&self, known: &KnownProgress, position: i64) {
        // The other waiters learn what this one reads.
        let _turn = known.turn.lock().await;
        loop {
            let has_runner = self.progress.has_runner();
            let interval = if has_runner { POLL_INTERVAL_BESIDE_RUNNER } else { POLL_INTERVAL };
            time::sleep(interval).await;
            match checkpoints::positions(&self.database).await {
                Ok(positions) => self.progress.advance_tables(&positions),
                Err(error) => {
                    tracing::warn!(%error, table = known.table, "cannot read the checkpoints");
                }
            }
            if *known.position.borrow() >= position {
                return;
            }
        }
    }
}
