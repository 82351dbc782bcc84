//! Rows of the log: the columns that are read, and how they become events.

use domain::event::{Decoded, RecordedEvent};
use tokio_postgres::{
    Row,
    types::{FromSql, Type},
};
use uuid::Uuid;

use crate::postgres::database::DatabaseError;

/// Position of the last event, from the primary key.
pub(super) const HEAD: &str =
    "SELECT coalesce((SELECT position FROM events ORDER BY position DESC LIMIT 1), 0)";

/// The columns that [`recorded`] takes.
pub(super) const SELECT: &str = "SELECT position, event_id, aggregate_type, aggregate_id, sequence, event_type, \
                                        event_version, payload, metadata, recorded_at FROM events WHERE";

/// A row of the log.
pub(super) fn recorded(row: &Row) -> Result<RecordedEvent, DatabaseError> {
    Ok(RecordedEvent {
        position: row.try_get(0)?,
        event_id: row.try_get::<_, Uuid>(1)?.into(),
        aggregate_type: row.try_get(2)?,
        aggregate_id: row.try_get(3)?,
        sequence: row.try_get(4)?,
        event_type: row.try_get(5)?,
        event_version: row.try_get(6)?,
        payload: row.try_get::<_, JsonText>(7)?.0,
        metadata: row.try_get::<_, JsonText>(8)?.0,
        recorded_at: row.try_get(9)?,
        decoded: Decoded::default(),
    })
}

/// A value of the type `json` as the text that was stored; a cast to `text` would cost the server a copy of each.
struct JsonText(String);

impl<'a> FromSql<'a> for JsonText {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(str::from_utf8(raw)?.to_owned()))
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::JSON
    }
}
