//! Reads the log by position, by stream or by filter.

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use domain::{event::RecordedEvent, ids::UserId};
use tokio_postgres::types::ToSql;

use super::{
    rows::{HEAD, SELECT, recorded},
    store::EventStore,
};
use crate::postgres::database::{Database, DatabaseError};

/// The read model, with its version, that says whose each stream is.
pub const STREAMS_TABLE: &str = "streams_v1";

/// Which events; every condition that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Only those that come after this position, in the direction of reading.
    pub after: Option<i64>,
    pub aggregate_type: Option<String>,
    pub aggregate_id: Option<String>,
    pub event_type: Option<String>,
    /// `user:<id>` or `system:<name>`.
    pub actor: Option<String>,
    pub correlation_id: Option<String>,
    /// Inclusive.
    pub from: Option<DateTime<Utc>>,
    /// Inclusive.
    pub to: Option<DateTime<Utc>>,
    /// Of streams that belong to this user, according to the read model [`STREAMS_TABLE`].
    pub owner_id: Option<UserId>,
    pub direction: Direction,
}

/// The order of reading.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Direction {
    #[default]
    Forward,
    Backward,
}

impl EventStore {
    /// Events after `position`, in order.
    ///
    /// # Errors
    /// The database.
    pub async fn read_after(
        &self,
        position: i64,
        limit: i64,
    ) -> Result<Vec<RecordedEvent>, DatabaseError> {
        let sql = format!("{SELECT} position > $1 ORDER BY position LIMIT $2");
        read(&self.log, &sql, &[&position, &limit]).await
    }

    /// Events of one stream after `sequence`, in order.
    ///
    /// # Errors
    /// The database.
    pub async fn read_stream(
        &self,
        aggregate_type: &str,
        aggregate_id: &str,
        after_sequence: i64,
        limit: i64,
    ) -> Result<Vec<RecordedEvent>, DatabaseError> {
        let sql = format!(
            "{SELECT} aggregate_type = $1 AND aggregate_id = $2 AND sequence > $3 ORDER BY sequence LIMIT $4"
        );
        read(&self.log, &sql, &[&aggregate_type, &aggregate_id, &after_sequence, &limit]).await
    }

    /// Events of one stream before `sequence`, the last first.
    ///
    /// # Errors
    /// The database.
    pub async fn read_stream_back(
        &self,
        aggregate_type: &str,
        aggregate_id: &str,
        before_sequence: i64,
        limit: i64,
    ) -> Result<Vec<RecordedEvent>, DatabaseError> {
        let client = self.log.get().await?;
        read_stream_back(&client, aggregate_type, aggregate_id, before_sequence, limit).await
    }

    /// Events that `filter` lets through, in its direction.
    ///
    /// # Errors
    /// The database.
    pub async fn read_filtered(
        &self,
        filter: &EventFilter,
        limit: i64,
    ) -> Result<Vec<RecordedEvent>, DatabaseError> {
        let (comparison, order) = match filter.direction {
            Direction::Forward => (">", "ASC"),
            Direction::Backward => ("<", "DESC"),
        };
        let owner_id = filter.owner_id.map(|id| id.uuid());
        let mut query = Query { sql: format!("{SELECT} true"), parameters: vec![&limit] };
        query.require(&format!("position {comparison} ?"), &filter.after);
        query.require("aggregate_type = ?", &filter.aggregate_type);
        query.require("aggregate_id = ?", &filter.aggregate_id);
        query.require("event_type = ?", &filter.event_type);
        query.require("metadata ->> 'actor' = ?", &filter.actor);
        query.require("metadata ->> 'correlation_id' = ?", &filter.correlation_id);
        // Times never decrease with positions, so they become positions by bisection.
        query.require("position >= position_at(?)", &filter.from);
        query.require(
            "position < position_at(?::timestamptz + interval '1 microsecond')",
            &filter.to,
        );
        let owned = format!(
            "(aggregate_type, aggregate_id) IN (SELECT own.aggregate_type, own.aggregate_id \
             FROM read_models.{STREAMS_TABLE} AS own WHERE own.owner_id = ?)"
        );
        query.require(&owned, &owner_id);
        let sql = format!("{} ORDER BY position {order} LIMIT $1", query.sql);
        read(&self.database, &sql, &query.parameters).await
    }

    /// Position of the last event; 0 when there is none.
    ///
    /// # Errors
    /// The database.
    pub async fn head(&self) -> Result<i64, DatabaseError> {
        let client = self.log.get().await?;
        let statement = client.prepare_cached(HEAD).await?;
        Ok(client.query_one(&statement, &[]).await?.try_get(0)?)
    }
}

/// Events of one stream before `sequence`, the last first, on this connection: also within a transaction.
///
/// # Errors
/// The database.
pub async fn read_stream_back(
    client: &impl GenericClient,
    aggregate_type: &str,
    aggregate_id: &str,
    before_sequence: i64,
    limit: i64,
) -> Result<Vec<RecordedEvent>, DatabaseError> {
    let sql = format!(
        "{SELECT} aggregate_type = $1 AND aggregate_id = $2 AND sequence < $3 ORDER BY sequence DESC LIMIT $4"
    );
    let statement = client.prepare_cached(&sql).await?;
    let parameters: [&(dyn ToSql + Sync); 4] =
        [&aggregate_type, &aggregate_id, &before_sequence, &limit];
    client.query(&statement, &parameters).await?.iter().map(recorded).collect()
}

async fn read(
    database: &Database,
    sql: &str,
    parameters: &[&(dyn ToSql + Sync)],
) -> Result<Vec<RecordedEvent>, DatabaseError> {
    let client = database.get().await?;
    let statement = client.prepare_cached(sql).await?;
    let rows = client.query(&statement, parameters).await?;
    rows.iter().map(recorded).collect()
}

/// A statement that grows by conditions.
struct Query<'a> {
    sql: String,
    parameters: Vec<&'a (dyn ToSql + Sync)>,
}

impl<'a> Query<'a> {
    /// Adds a condition on `?`, if there is a value for it.
    fn require<T: ToSql + Sync>(&mut self, condition: &str, value: &'a Option<T>) {
        if let Some(value) = value {
            self.parameters.push(value);
            let place = format!("${}", self.parameters.len());
            self.sql = format!("{} AND {}", self.sql, condition.replace('?', &place));
        }
    }
}
