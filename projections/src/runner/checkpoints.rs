//! Checkpoints: how far each read model's table is; moved by compare-and-set, with the rows.

use deadpool_postgres::{GenericClient, Transaction};
use infra::postgres::{Database, DatabaseError};

/// How far a table is, and whether it continues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    pub(crate) position: i64,
    /// A poison event waits to be retried or discarded.
    pub(crate) is_stopped: bool,
    /// It reached the end of the log at least once.
    pub(crate) has_caught_up: bool,
}

/// The table's checkpoint; `None` before it was built.
pub(crate) async fn load(
    database: &Database,
    table: &str,
) -> Result<Option<Checkpoint>, DatabaseError> {
    let client = database.get().await?;
    let sql = "SELECT position, state = 'stopped', caught_up_at IS NOT NULL \
               FROM read_models.checkpoints WHERE table_name = $1";
    let statement = client.prepare_cached(sql).await?;
    let Some(row) = client.query_opt(&statement, &[&table]).await? else { return Ok(None) };
    Ok(Some(Checkpoint {
        position: row.try_get(0)?,
        is_stopped: row.try_get(1)?,
        has_caught_up: row.try_get(2)?,
    }))
}

/// The positions of all tables.
pub(crate) async fn positions(database: &Database) -> Result<Vec<(String, i64)>, DatabaseError> {
    let client = database.get().await?;
    let sql = "SELECT table_name, position FROM read_models.checkpoints";
    let statement = client.prepare_cached(sql).await?;
    let rows = client.query(&statement, &[]).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// Moves the checkpoint from one position to another. Returns false if it is elsewhere or stopped. In a transaction its row stays
/// locked to the end.
///
/// A crash of Postgres may take back the last transactions that do this, rows and checkpoint together: they are projected again.
/// So no commit here waits for the disk. Nor is any statement of the transaction planned more than once for each connection.
pub(crate) async fn advance(
    client: &impl GenericClient,
    table: &str,
    from: i64,
    to: i64,
) -> Result<bool, DatabaseError> {
    let sql = "UPDATE read_models.checkpoints SET position = $3 \
               WHERE table_name = $1 AND position = $2 AND state = 'running' \
               RETURNING set_config('synchronous_commit', 'off', true), \
                   set_config('plan_cache_mode', 'force_generic_plan', true)";
    let statement = client.prepare_cached(sql).await?;
    Ok(client.query_opt(&statement, &[&table, &from, &to]).await?.is_some())
}

/// Stops the table at `position`, before the event that could not be folded.
pub(crate) async fn stop(
    transaction: &Transaction<'_>,
    table: &str,
    position: i64,
) -> Result<(), DatabaseError> {
    let sql = "UPDATE read_models.checkpoints SET position = $2, state = 'stopped' \
               WHERE table_name = $1";
    transaction.execute(sql, &[&table, &position]).await?;
    Ok(())
}

/// Resumes a table that stopped before `position`: the event there is dealt with.
pub(crate) async fn resume(
    transaction: &Transaction<'_>,
    table: &str,
    position: i64,
) -> Result<(), DatabaseError> {
    let sql = "UPDATE read_models.checkpoints SET position = $2::bigint, state = 'running' \
               WHERE table_name = $1 AND position = $2::bigint - 1 AND state = 'stopped'";
    transaction.execute(sql, &[&table, &position]).await?;
    Ok(())
}
