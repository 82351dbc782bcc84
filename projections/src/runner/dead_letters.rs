//! Dead letters: events that a projection could not fold, to be retried or discarded.

use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use domain::event::RecordedEvent;
use infra::postgres::{DatabaseError, EventStore};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    handle::ReadModels,
    registry::READ_MODELS,
    runner::{checkpoints, write::write_one},
};

/// An event that a projection could not fold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    pub id: Uuid,
    /// `backtests_v1`
    pub table_name: String,
    pub position: i64,
    pub aggregate_type: String,
    pub aggregate_id: String,
    pub event_type: String,
    /// Why; for operators.
    pub error: String,
    pub created_at: DateTime<Utc>,
}

/// A dead letter was not retried or discarded.
#[derive(Debug, thiserror::Error)]
pub enum DeadLetterError {
    #[error("there is no open dead letter with this id")]
    NotFound,
    /// It stays in the dead letters.
    #[error("the event still cannot be folded: {0}")]
    StillPoison(String),
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl From<tokio_postgres::Error> for DeadLetterError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error.into())
    }
}

impl ReadModels {
    /// The open dead letters, oldest first.
    ///
    /// # Errors
    /// The database.
    pub async fn dead_letters(&self) -> Result<Vec<DeadLetter>, DatabaseError> {
        let client = self.database.get().await?;
        let sql = "SELECT * FROM read_models.dead_letters WHERE state = 'open' \
                   ORDER BY created_at, position";
        client.query(sql, &[]).await?.iter().map(read).collect()
    }

    /// Folds the event after all; a projection that stopped before it continues.
    ///
    /// # Errors
    /// [`DeadLetterError::StillPoison`] when it fails again.
    pub async fn retry(&self, store: &EventStore, id: Uuid) -> Result<(), DeadLetterError> {
        let mut client = self.database.get().await?;
        let mut transaction = client.transaction().await?;
        let letter = open(&transaction, id).await?;
        let model = READ_MODELS.into_iter().find(|model| model.table == letter.table_name);
        let model = model.ok_or(DeadLetterError::NotFound)?;
        let range = store.read_types_after(letter.position - 1, model.aggregates, false, 1).await?;
        let event = range.events.first().filter(|event| event.position == letter.position);
        let event = event.ok_or(DeadLetterError::NotFound)?;
        if let Some(ahead) = event.ahead() {
            return Err(DeadLetterError::StillPoison(ahead.to_string()));
        }
        let poison = write_one(&mut transaction, model, model.table, event).await?;
        if let Some(error) = poison {
            return Err(DeadLetterError::StillPoison(error));
        }
        resolve(&transaction, &letter, "retried").await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Leaves the event out for good, in rebuilds too; a projection that stopped before it continues.
    ///
    /// # Errors
    /// [`DeadLetterError::NotFound`], or the database.
    pub async fn discard(&self, id: Uuid) -> Result<(), DeadLetterError> {
        let mut client = self.database.get().await?;
        let transaction = client.transaction().await?;
        let letter = open(&transaction, id).await?;
        resolve(&transaction, &letter, "discarded").await?;
        transaction.commit().await?;
        Ok(())
    }
}

/// Keeps an event that could not be folded into a table.
pub(crate) async fn record(
    transaction: &Transaction<'_>,
    table: &str,
    event: &RecordedEvent,
    error: &str,
) -> Result<(), DatabaseError> {
    let sql = "INSERT INTO read_models.dead_letters \
               (table_name, position, aggregate_type, aggregate_id, event_type, error) \
               VALUES ($1, $2, $3, $4, $5, $6) \
               ON CONFLICT (table_name, position) DO UPDATE \
               SET error = excluded.error, state = 'open', resolved_at = NULL";
    let RecordedEvent { position, aggregate_type, aggregate_id, event_type, .. } = event;
    transaction
        .execute(sql, &[&table, position, aggregate_type, aggregate_id, event_type, &error])
        .await?;
    Ok(())
}

/// Returns whether the event was discarded from that table.
pub(crate) async fn is_discarded(
    transaction: &Transaction<'_>,
    table: &str,
    position: i64,
) -> Result<bool, DatabaseError> {
    let sql = "SELECT FROM read_models.dead_letters \
               WHERE table_name = $1 AND position = $2 AND state = 'discarded'";
    Ok(transaction.query_opt(sql, &[&table, &position]).await?.is_some())
}

/// Returns the letter after locking the checkpoint of its table; a Kafka message has no such table.
async fn open(transaction: &Transaction<'_>, id: Uuid) -> Result<DeadLetter, DeadLetterError> {
    let lock = "SELECT FROM read_models.checkpoints WHERE table_name = \
                (SELECT table_name FROM read_models.dead_letters WHERE id = $1) FOR UPDATE";
    transaction.query_opt(lock, &[&id]).await?;
    let sql = "SELECT * FROM read_models.dead_letters WHERE id = $1 AND state = 'open' FOR UPDATE";
    let row = transaction.query_opt(sql, &[&id]).await?.ok_or(DeadLetterError::NotFound)?;
    Ok(read(&row)?)
}

async fn resolve(
    transaction: &Transaction<'_>,
    letter: &DeadLetter,
    state: &str,
) -> Result<(), DatabaseError> {
    let sql = "UPDATE read_models.dead_letters SET state = $2, resolved_at = now() WHERE id = $1";
    transaction.execute(sql, &[&letter.id, &state]).await?;
    checkpoints::resume(transaction, &letter.table_name, letter.position).await
}

fn read(row: &Row) -> Result<DeadLetter, DatabaseError> {
    Ok(DeadLetter {
        id: row.try_get("id")?,
        table_name: row.try_get("table_name")?,
        position: row.try_get("position")?,
        aggregate_type: row.try_get("aggregate_type")?,
        aggregate_id: row.try_get("aggregate_id")?,
        event_type: row.try_get("event_type")?,
        error: row.try_get("error")?,
        created_at: row.try_get("created_at")?,
    })
}
