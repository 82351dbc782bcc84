//! Reads the log for consumers that care about some aggregates only.

use domain::event::RecordedEvent;
use tokio_postgres::{
    Row,
    types::{ToSql, Type},
};
use ulid::Ulid;
use uuid::Uuid;

use super::{DatabaseError, EventStore};

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
    /// Up to `limit` events of these aggregate types after `position`.
    ///
    /// # Errors
    /// The database.
    pub async fn read_types_after(
        &self,
        position: i64,
        aggregate_types: &[&str],
        limit: i64,
    ) -> Result<EventRange, DatabaseError> {
        let client = self.database().get().await?;
        let head = "SELECT coalesce((SELECT max(position) FROM events), 0)";
        // Planned anew each time: a plan that was kept when the log was small would scan all of it later.
        let range = "SELECT position, event_id, aggregate_type, aggregate_id, sequence, event_type, \
                     event_version, payload::text, metadata::text, recorded_at FROM events \
                     WHERE position > $1 AND position <= $2 AND aggregate_type = ANY ($3) \
                     ORDER BY position LIMIT $4";
        let span_end = position.saturating_add(SPAN);
        let parameters: [(&(dyn ToSql + Sync), Type); 4] = [
            (&position, Type::INT8),
            (&span_end, Type::INT8),
            (&aggregate_types, Type::TEXT_ARRAY),
            (&limit, Type::INT8),
        ];
        // The head is read first (both are sent at once), so that no event up to it is missing below.
        let (head, rows) = tokio::try_join!(
            client.query_typed(head, &[]),
            client.query_typed(range, &parameters)
        )?;
        let head: i64 = head.first().map_or(Ok(0), |row| row.try_get(0))?;
        let events = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let last = events.last().map_or(position, |event| event.position);
        let is_full = i64::try_from(events.len()).is_ok_and(|count| count >= limit);
        let end = if is_full { last } else { head.min(span_end).max(last) };
        Ok(EventRange { events, end, has_more: is_full || end < head })
    }
}

fn read(row: &Row) -> Result<RecordedEvent, tokio_postgres::Error> {
    Ok(RecordedEvent {
        position: row.try_get(0)?,
        event_id: Ulid::from(row.try_get::<_, Uuid>(1)?),
        aggregate_type: row.try_get(2)?,
        aggregate_id: row.try_get(3)?,
        sequence: row.try_get(4)?,
        event_type: row.try_get(5)?,
        event_version: row.try_get(6)?,
        payload: row.try_get(7)?,
        metadata: row.try_get(8)?,
        recorded_at: row.try_get(9)?,
    })
}
