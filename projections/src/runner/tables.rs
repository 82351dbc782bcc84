//! The read models' tables: each version is made beside the others, and a view without version shows the newest.

use deadpool_postgres::Transaction;
use infra::postgres::{Database, DatabaseError};

use crate::{handle::ReadModels, read_model::ReadModel, registry::READ_MODELS};

/// A process that creates or renames tables holds this PostgreSQL lock until the end of its transaction ("backtabl" in ASCII).
const LOCK: i64 = 0x6261_636b_7461_626c;

impl ReadModels {
    /// Makes the missing tables of this binary's versions; they stay empty until a runner fills them.
    ///
    /// # Errors
    /// The database.
    pub async fn prepare(&self) -> Result<(), DatabaseError> {
        for model in READ_MODELS {
            ensure(&self.database, model, model.table).await?;
        }
        Ok(())
    }

    /// Drops what no binary of this version or later reads: older versions of read models whose own version has caught up,
    /// and what rebuilds left behind. Returns the names of the dropped tables.
    ///
    /// # Errors
    /// The database.
    pub async fn prune(&self) -> Result<Vec<String>, DatabaseError> {
        let mut client = self.database.get().await?;
        let transaction = client.transaction().await?;
        lock(&transaction).await?;
        let sql = "SELECT table_name, caught_up_at IS NOT NULL FROM read_models.checkpoints";
        let mut tables: Vec<(String, bool)> = Vec::new();
        for row in transaction.query(sql, &[]).await? {
            tables.push((row.try_get(0)?, row.try_get(1)?));
        }
        let mut dropped = Vec::new();
        for model in READ_MODELS {
            let has_caught_up = tables.iter().any(|(table, done)| table == model.table && *done);
            for (table, _) in &tables {
                let is_older = version(model, table) < version(model, model.table);
                let is_old = has_caught_up && version(model, table).is_some() && is_older;
                let base = table.strip_suffix(REBUILD_SUFFIX);
                let is_leftover = base.is_some_and(|base| {
                    version(model, base).is_some()
                        && version(model, base) <= version(model, model.table)
                });
                if is_old || (is_leftover && try_lock_rebuild(&transaction, model).await?) {
                    drop_table(&transaction, table).await?;
                    dropped.push(table.clone());
                }
            }
        }
        transaction.commit().await?;
        Ok(dropped)
    }
}

/// What a table's name ends in while it is rebuilt beside the live one.
pub(crate) const REBUILD_SUFFIX: &str = "_rebuild";

/// Makes a table with its checkpoint at 0, unless it is there; where the log is empty, it has caught up.
pub(crate) async fn ensure(
    database: &Database,
    model: &ReadModel,
    table: &str,
) -> Result<(), DatabaseError> {
    let mut client = database.get().await?;
    let transaction = client.transaction().await?;
    lock(&transaction).await?;
    let sql = "INSERT INTO read_models.checkpoints (table_name, caught_up_at) \
               SELECT $1, CASE WHEN NOT EXISTS (SELECT FROM events) THEN now() END \
               ON CONFLICT DO NOTHING RETURNING caught_up_at IS NOT NULL";
    if let Some(made) = transaction.query_opt(sql, &[&table]).await? {
        transaction.batch_execute(&(model.create)(table)).await?;
        if made.try_get(0)? {
            show_newest(&transaction, model).await?;
        }
    }
    transaction.commit().await?;
    Ok(())
}

/// Notes that the table has reached the end of the log, and shows the newest such version through the view.
pub(crate) async fn note_caught_up(
    database: &Database,
    model: &ReadModel,
) -> Result<(), DatabaseError> {
    let mut client = database.get().await?;
    let transaction = client.transaction().await?;
    lock(&transaction).await?;
    let sql = "UPDATE read_models.checkpoints SET caught_up_at = now() \
               WHERE table_name = $1 AND caught_up_at IS NULL";
    if transaction.execute(sql, &[&model.table]).await? == 1 {
        show_newest(&transaction, model).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// Points the view at the newest version that has caught up.
pub(crate) async fn show_newest(
    transaction: &Transaction<'_>,
    model: &ReadModel,
) -> Result<(), DatabaseError> {
    let sql = "SELECT table_name FROM read_models.checkpoints WHERE caught_up_at IS NOT NULL";
    let mut newest: Option<(u32, String)> = None;
    for row in transaction.query(sql, &[]).await? {
        let table: String = row.try_get(0)?;
        if let Some(version) = version(model, &table) {
            newest = newest.max(Some((version, table)));
        }
    }
    let name = model.name;
    let mut sql = format!("DROP VIEW IF EXISTS read_models.{name};");
    if let Some((_, table)) = newest {
        sql.push_str(&format!(
            "CREATE VIEW read_models.{name} AS SELECT * FROM read_models.{table};"
        ));
    }
    transaction.batch_execute(&sql).await?;
    Ok(())
}

/// The tables of a read model's version: the one of that name, and those beside it, whose names it begins
/// (`backtests_v6_metrics`).
pub(crate) async fn family(
    transaction: &Transaction<'_>,
    table: &str,
) -> Result<Vec<String>, DatabaseError> {
    let sql = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'read_models' \
               AND (tablename = $1 OR starts_with(tablename, $1 || '_')) \
               AND NOT starts_with(tablename, $1 || $2) ORDER BY tablename";
    let rows = transaction.query(sql, &[&table, &REBUILD_SUFFIX]).await?;
    Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
}

/// Drops a table and those beside it with all that the projections keep about them.
pub(crate) async fn drop_table(
    transaction: &Transaction<'_>,
    table: &str,
) -> Result<(), DatabaseError> {
    for member in family(transaction, table).await? {
        transaction.batch_execute(&format!("DROP TABLE read_models.{member}")).await?;
    }
    for sql in [
        "DELETE FROM read_models.checkpoints WHERE table_name = $1",
        "DELETE FROM read_models.dead_letters WHERE table_name = $1",
    ] {
        transaction.execute(sql, &[&table]).await?;
    }
    Ok(())
}

/// Waits for its turn to make or rename tables.
pub(crate) async fn lock(transaction: &Transaction<'_>) -> Result<(), DatabaseError> {
    transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await?;
    Ok(())
}

/// The lock that a rebuild holds as long as it runs.
pub(crate) fn rebuild_lock(model: &ReadModel) -> i64 {
    model.name.bytes().fold(LOCK, |key, byte| key.rotate_left(5) ^ i64::from(byte))
}

async fn try_lock_rebuild(
    transaction: &Transaction<'_>,
    model: &ReadModel,
) -> Result<bool, DatabaseError> {
    let sql = "SELECT pg_try_advisory_xact_lock($1)";
    Ok(transaction.query_one(sql, &[&rebuild_lock(model)]).await?.try_get(0)?)
}

/// The version in a table's name, if the table is one of the read model.
fn version(model: &ReadModel, table: &str) -> Option<u32> {
    table.strip_prefix(model.name)?.strip_prefix("_v")?.parse().ok()
}
