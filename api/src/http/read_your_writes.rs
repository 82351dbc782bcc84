//! Read your writes: after a command, waits for the read models that it touches, and says so in headers.

use std::time::Duration;

use commands::Accepted;
use domain::{event::RecordedEvent, job::JobAggregate};
use poem::http::HeaderName;
use projections::{Poison, QueryError};
use tokio::time::{Instant, timeout_at};

use super::{caller::Caller, error::ApiError, request_key, response::WithHeaders};
use crate::context::Context;

/// How long a wait for the end of a job goes without a look: wake-ups are hints.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// Where a command lies in the log, and whether the read models have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WriteReceipt {
    position: i64,
    is_replayed: bool,
    /// The read models did not have it within the bound, or the caller did not want to wait.
    pub(crate) is_pending: bool,
}

impl Caller {
    /// Waits until these read models have what the command did, unless the caller does not want to.
    pub(crate) async fn wait_for_write<T>(
        &self,
        accepted: &Accepted<T>,
        read_models: &[&'static str],
    ) -> WriteReceipt {
        let Accepted { position, is_replayed, .. } = *accepted;
        let is_pending = self.headers.respond_async || {
            let bound = self.api.options.write_wait;
            let waited = self.api.reads.wait_for(read_models, position, bound).await;
            if let Err(behind) = &waited {
                tracing::warn!(%behind, "responding before the read model has the command");
            }
            waited.is_err()
        };
        WriteReceipt { position, is_replayed, is_pending }
    }

    /// Whether the job of that id has ended within the time that the caller wants to wait, and these read models know it.
    pub(crate) async fn sees_end_of<A: JobAggregate>(
        &self,
        id: &str,
        read_models: &[&'static str],
    ) -> Result<bool, ApiError> {
        let Some(wait) = self.headers.wait else { return Ok(false) };
        let deadline = Instant::now() + wait;
        let mut wakeups = self.api.store.wakeups();
        loop {
            wakeups.mark_unchanged();
            let loaded = self.api.store.load::<A>(id).await?;
            if loaded.aggregate.job().is_none_or(|job| job.status.is_final()) {
                let bound = self.api.options.write_wait;
                let waited = self.api.reads.wait_for(read_models, loaded.position, bound).await;
                return Ok(waited.is_ok());
            }
            let now = Instant::now();
            if now >= deadline {
                return Ok(false);
            }
            // Either outcome means another look.
            let _ = timeout_at(deadline.min(now + LOOK_INTERVAL), wakeups.changed()).await;
        }
    }
}

/// The row as a command left it: from the read model or, if that may be behind, from the aggregate's own events.
pub(crate) async fn row_after_command<R>(
    api: &Context,
    aggregate_type: &str,
    id: &str,
    is_behind: bool,
    stored: impl Future<Output = Result<Option<R>, QueryError>>,
    fold: impl Fn(&[RecordedEvent]) -> Result<Option<R>, Poison>,
) -> Result<R, ApiError> {
    if !is_behind && let Some(row) = stored.await? {
        return Ok(row);
    }
    let events = api.store.read_stream(aggregate_type, id, 0, i64::MAX).await?;
    let row = fold(&events).map_err(ApiError::internal)?;
    row.ok_or_else(|| ApiError::not_found(aggregate_type))
}

impl WriteReceipt {
    /// Adds its headers to a response.
    pub(crate) fn apply<T: WithHeaders>(self, mut response: T) -> T {
        let header = HeaderName::from_static;
        response = response.with_header(header("x-backtrail-position"), &self.position.to_string());
        if self.is_pending {
            response = response.with_header(header("x-backtrail-pending"), "true");
        }
        if self.is_replayed { request_key::replayed(response) } else { response }
    }
}
