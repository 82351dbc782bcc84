//! What the read models of lifecycles share: a row is loaded, its events are applied to it, it is written back.

use std::{collections::BTreeMap, fmt::Debug};

use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use domain::event::RecordedEvent;
use infra::postgres::DatabaseError;
use serde::Serialize;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    error::Poison,
    read_model::aggregate_id,
    sql::{bulk, by_ids},
};

/// An event with its place.
pub(crate) struct Located<E> {
    pub(crate) id: Uuid,
    pub(crate) sequence: i64,
    pub(crate) position: i64,
    pub(crate) recorded_at: DateTime<Utc>,
    pub(crate) event: E,
}

impl<E> Located<E> {
    pub(crate) fn new(recorded: &RecordedEvent, event: E) -> Result<Self, Poison> {
        Ok(Self {
            id: aggregate_id(recorded)?,
            sequence: recorded.sequence,
            position: recorded.position,
            recorded_at: recorded.recorded_at,
            event,
        })
    }
}

/// Folds the events of one aggregate into its row: `None` before the first event and after a deletion.
pub(crate) fn fold_one<E, T>(
    events: &[RecordedEvent],
    read: impl Fn(&RecordedEvent) -> Result<E, Poison>,
    apply: impl Fn(&mut Option<T>, Located<E>),
) -> Result<Option<T>, Poison> {
    let mut row = None;
    for recorded in events {
        apply(&mut row, Located::new(recorded, read(recorded)?)?);
    }
    Ok(row)
}

/// The rows of aggregates: `None` for those that have none.
pub(crate) type Rows<T> = BTreeMap<Uuid, Option<T>>;

/// Applies events to the rows of their aggregates: none before the first event and after a deletion.
pub(crate) async fn update<E, T: Serialize + Debug + Sync>(
    transaction: &Transaction<'_>,
    table: &str,
    columns: &[&str],
    events: Vec<Located<E>>,
    read: impl Fn(&Row) -> Result<(Uuid, T), DatabaseError>,
    apply: impl Fn(&mut Option<T>, Located<E>),
) -> Result<(), DatabaseError> {
    if events.is_empty() {
        return Ok(());
    }
    let mut rows = load(transaction, table, &events, read).await?;
    for event in events {
        apply(rows.entry(event.id).or_default(), event);
    }
    store(transaction, table, columns, &rows).await
}

/// Loads the rows of the events' aggregates.
pub(crate) async fn load<E, T>(
    transaction: &Transaction<'_>,
    table: &str,
    events: &[Located<E>],
    read: impl Fn(&Row) -> Result<(Uuid, T), DatabaseError>,
) -> Result<Rows<T>, DatabaseError> {
    let mut rows: Rows<T> = events.iter().map(|event| (event.id, None)).collect();
    let ids: Vec<Uuid> = rows.keys().copied().collect();
    let statement = transaction.prepare_cached(&by_ids::select("t.*", table)).await?;
    for stored in transaction.query(&statement, &[&ids]).await? {
        let (id, row) = read(&stored)?;
        rows.insert(id, Some(row));
    }
    Ok(rows)
}

/// Writes rows back, and deletes those that are none.
pub(crate) async fn store<T: Serialize + Debug + Sync>(
    transaction: &Transaction<'_>,
    table: &str,
    columns: &[&str],
    rows: &Rows<T>,
) -> Result<(), DatabaseError> {
    bulk::delete(transaction, table, "id", &gone(rows)).await?;
    let rows: Vec<&T> = rows.values().flatten().collect();
    bulk::upsert(transaction, table, "id", columns, &rows).await
}

/// The ids of those that have no row.
pub(crate) fn gone<T>(rows: &Rows<T>) -> Vec<Uuid> {
    rows.iter().filter(|(_, row)| row.is_none()).map(|(id, _)| *id).collect()
}
