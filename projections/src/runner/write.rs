//! Writes folded events to a table, and distinguishes faulty events from faults of the database.

use deadpool_postgres::Transaction;
use domain::event::RecordedEvent;
use infra::postgres::DatabaseError;
use tokio_postgres::error::SqlState;

use crate::read_model::{Changes, ReadModel};

/// Writes one event's rows under a savepoint; for a poison event writes nothing and returns what is wrong with it.
pub(crate) async fn write_one(
    transaction: &mut Transaction<'_>,
    model: &ReadModel,
    table: &str,
    event: &RecordedEvent,
) -> Result<Option<String>, DatabaseError> {
    let changes = match (model.fold)(&[event]) {
        Ok(changes) => changes,
        Err(poison) => return Ok(Some(poison.to_string())),
    };
    let savepoint = transaction.savepoint("event").await?;
    match changes.write(&savepoint, table).await {
        Ok(()) => {
            savepoint.commit().await?;
            Ok(None)
        }
        Err(error) => {
            savepoint.rollback().await?;
            Ok(Some(poison_of(error)?))
        }
    }
}

/// Writes the changes of a batch.
pub(crate) async fn write_all(
    changes: Vec<Box<dyn Changes>>,
    transaction: &Transaction<'_>,
    table: &str,
) -> Result<(), DatabaseError> {
    for changes in changes.into_iter().filter(|changes| !changes.is_empty()) {
        changes.write(transaction, table).await?;
    }
    Ok(())
}

/// Returns what is wrong with the data.
///
/// # Errors
/// The error itself if the data is not at fault: another try may succeed.
pub(crate) fn poison_of(error: DatabaseError) -> Result<String, DatabaseError> {
    let is_datas_fault = match &error {
        DatabaseError::Statement(statement) => statement.code().is_some_and(blames_the_data),
        DatabaseError::Corrupt(_) => true,
        DatabaseError::Unavailable(_)
        | DatabaseError::Ahead(_)
        | DatabaseError::Forbidden(_)
        | DatabaseError::Migration(_) => false,
    };
    if is_datas_fault { Ok(error.to_string()) } else { Err(error) }
}

/// SQLSTATE classes 22 (data), 23 (constraints) and 54 (limits).
fn blames_the_data(state: &SqlState) -> bool {
    ["22", "23", "54"].iter().any(|class| state.code().starts_with(class))
}
