//! The state of the relay to Kafka: its checkpoint, the event that stops it, and the events that it skips.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use tokio_postgres::types::ToSql;

use super::{
    database::{Database, DatabaseError},
    leaders::{IS_HELD, Leadership},
};

/// The relay to one set of topics. Every write as a leader checks the term in the same statement.
#[derive(Clone)]
pub struct Relays {
    database: Database,
    topic_prefix: String,
}

/// An event that cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    pub position: i64,
    pub reason: String,
    pub at: DateTime<Utc>,
}

/// An event that was skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skip {
    pub position: i64,
    /// Why it could not be sent.
    pub refusal: String,
    /// Why the topics may do without it.
    pub reason: String,
    pub skipped_by: String,
    pub skipped_at: DateTime<Utc>,
}

/// The relay's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayStatus {
    /// Everything up to here has been published or skipped.
    pub position: i64,
    /// The end of the log.
    pub head: i64,
    /// The process that leads now.
    pub leader: Option<String>,
    pub stop: Option<Stop>,
    /// The skipped events, oldest first.
    pub skips: Vec<Skip>,
}

/// Why an event was not skipped.
#[derive(Debug, thiserror::Error)]
pub enum SkipError {
    #[error(
        "the relay is not stopped before position {0}; `backtrail relay status` shows where it is"
    )]
    NotStopped(i64),
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl Relays {
    /// The role in `leaders`.
    pub const ROLE: &'static str = "relay";

    /// The relay to the topics with this prefix.
    #[must_use]
    pub fn new(database: Database, topic_prefix: String) -> Self {
        Self { database, topic_prefix }
    }

    /// Returns the checkpoint; 0 if this relay has never run.
    ///
    /// # Errors
    /// The database.
    pub async fn position(&self) -> Result<i64, DatabaseError> {
        let sql = "SELECT position FROM relays WHERE topic_prefix = $1";
        let client = self.database.get().await?;
        let row = client.query_opt(sql, &[&self.topic_prefix]).await?;
        row.map_or(Ok(0), |row| Ok(row.try_get(0)?))
    }

    /// Returns the positions after the checkpoint that are to be skipped.
    ///
    /// # Errors
    /// The database.
    pub async fn skips_after(&self, position: i64) -> Result<BTreeSet<i64>, DatabaseError> {
        let sql = "SELECT position FROM relay_skips WHERE topic_prefix = $1 AND position > $2";
        let client = self.database.get().await?;
        let rows = client.query(sql, &[&self.topic_prefix, &position]).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// Moves the checkpoint up to `position`, which also ends a stop. Returns false if the role was lost.
    ///
    /// # Errors
    /// The database.
    pub async fn advance(&self, leader: &Leadership, position: i64) -> Result<bool, DatabaseError> {
        let sql = format!(
            "INSERT INTO relays AS own (topic_prefix, position) SELECT $4, $5 WHERE {IS_HELD} \
             ON CONFLICT (topic_prefix) DO UPDATE SET position = greatest(own.position, excluded.position), \
             stopped_position = NULL, stopped_reason = NULL, stopped_at = NULL"
        );
        self.write(&sql, leader, &[&self.topic_prefix, &position]).await
    }

    /// Records that the event at `position` cannot be sent. Returns false if the role was lost.
    ///
    /// # Errors
    /// The database.
    pub async fn stop(
        &self,
        leader: &Leadership,
        position: i64,
        reason: &str,
    ) -> Result<bool, DatabaseError> {
        let sql = format!(
            "INSERT INTO relays AS own (topic_prefix, position, stopped_position, stopped_reason, stopped_at) \
             SELECT $4, 0, $5, $6, clock_timestamp() WHERE {IS_HELD} \
             ON CONFLICT (topic_prefix) DO UPDATE SET stopped_position = excluded.stopped_position, \
             stopped_reason = excluded.stopped_reason, stopped_at = excluded.stopped_at"
        );
        self.write(&sql, leader, &[&self.topic_prefix, &position, &reason]).await
    }

    /// Lets the relay skip the event that stops it; records who, when and why.
    ///
    /// # Errors
    /// [`SkipError::NotStopped`] if it is not that event that stops it.
    pub async fn skip(&self, position: i64, reason: &str, by: &str) -> Result<(), SkipError> {
        let sql = "INSERT INTO relay_skips (topic_prefix, position, refusal, reason, skipped_by) \
                   SELECT topic_prefix, stopped_position, stopped_reason, $3, $4 FROM relays \
                   WHERE topic_prefix = $1 AND stopped_position = $2 ON CONFLICT DO NOTHING";
        let client = self.database.get().await?;
        let done = client.execute(sql, &[&self.topic_prefix, &position, &reason, &by]).await;
        match done.map_err(DatabaseError::from)? {
            0 => Err(SkipError::NotStopped(position)),
            _ => Ok(()),
        }
    }

    /// Returns its state, from any process.
    ///
    /// # Errors
    /// The database.
    pub async fn status(&self) -> Result<RelayStatus, DatabaseError> {
        const STATUS: &str = "
            SELECT coalesce(own.position, 0) AS position, coalesce(head.position, 0) AS head, leader.holder,
                own.stopped_position, own.stopped_reason, own.stopped_at
            FROM (SELECT max(position) AS position FROM events) AS head
            LEFT JOIN relays AS own ON own.topic_prefix = $1
            LEFT JOIN leaders AS leader ON leader.role = $2 AND leader.until > clock_timestamp()";
        const SKIPS: &str = "
            SELECT position, refusal, reason, skipped_by, skipped_at FROM relay_skips
            WHERE topic_prefix = $1 ORDER BY position";
        let client = self.database.get().await?;
        let row = client.query_one(STATUS, &[&self.topic_prefix, &Self::ROLE]).await?;
        let skips = client.query(SKIPS, &[&self.topic_prefix]).await?;
        let stopped: Option<i64> = row.try_get("stopped_position")?;
        let stop = stopped.map(|position| {
            let (reason, at) = (row.try_get("stopped_reason")?, row.try_get("stopped_at")?);
            Ok::<_, DatabaseError>(Stop { position, reason, at })
        });
        let skip = |row: &tokio_postgres::Row| {
            Ok::<_, DatabaseError>(Skip {
                position: row.try_get("position")?,
                refusal: row.try_get("refusal")?,
                reason: row.try_get("reason")?,
                skipped_by: row.try_get("skipped_by")?,
                skipped_at: row.try_get("skipped_at")?,
            })
        };
        Ok(RelayStatus {
            position: row.try_get("position")?,
            head: row.try_get("head")?,
            leader: row.try_get("holder")?,
            stop: stop.transpose()?,
            skips: skips.iter().map(skip).collect::<Result<_, _>>()?,
        })
    }

    async fn write(
        &self,
        sql: &str,
        leader: &Leadership,
        more: &[&(dyn ToSql + Sync)],
    ) -> Result<bool, DatabaseError> {
        let client = self.database.get().await?;
        let statement = client.prepare_cached(sql).await?;
        let parameters = [&leader.parameters()[..], more].concat();
        Ok(client.execute(&statement, &parameters).await? == 1)
    }
}
