//! Reads the log for consumers that care about some aggregates only.

use domain::event::RecordedEvent;
use tokio_postgres::types::ToSql;

use super::{
    rows::{HEAD, SELECT, recorded},
    store::EventStore,
};
use crate::postgres::database::DatabaseError;

/// Positions that one read may span, so that it stays short where few events match.
const SPAN: i64 = 20_000;

/// Events of some aggregates, and how far they reach.
#[derive(Debug, Clone, PartialEq)]
pub struct EventRange {
    /// In order of position.
    pub events: Vec<RecordedEvent>,
    /// Every matching event up to this position is among them or came before.
    pub end: i64,
    /// The log was known to go on after [`Self::end`].
    pub has_more: bool,
}

impl EventStore {
    /// Up to `limit` events of these aggregate types after `position`; with `first_only`, only those that begin streams.
    ///
    /// # Errors
    /// The database.
    pub async fn read_types_after(
        &self,
        position: i64,
        aggregate_types: &[&str],
        first_only: bool,
        limit: i64,
    ) -> Result<EventRange, DatabaseError> {
        let client = self.log.get().await?;
        let range = format!(
            "{SELECT} position > $1 AND position <= $2 AND aggregate_type = ANY ($3) \
             AND (sequence <= 1 OR NOT $4) ORDER BY position LIMIT $5"
        );
        let (head, range) =
            tokio::try_join!(client.prepare_cached(HEAD), client.prepare_cached(&range))?;
        let span_end = position.saturating_add(SPAN);
        let parameters: [&(dyn ToSql + Sync); 5] =
            [&position, &span_end, &aggregate_types, &first_only, &limit];
        // The head is read first (both are sent at once), so that no event up to it is missing below.
        let (head, rows) =
            tokio::try_join!(client.query_one(&head, &[]), client.query(&range, &parameters))?;
        let head: i64 = head.try_get(0)?;
        let events = rows.iter().map(recorded).collect::<Result<Vec<_>, _>>()?;
        let last = events.last().map_or(position, |event| event.position);
        let is_full = i64::try_from(events.len()).is_ok_and(|count| count >= limit);
        let end = if is_full { last } else { head.min(span_end).max(last) };
        Ok(EventRange { events, end, has_more: is_full || end < head })
    }
}
