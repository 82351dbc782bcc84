//! Checkpoints: how far each read model's table is.

use infra::postgres::{Database, DatabaseError};

/// The table's checkpoint; none before it was built.
pub(crate) async fn position(
    database: &Database,
    table: &str,
) -> Result<Option<i64>, DatabaseError> {
    let client = database.get().await?;
    let sql = "SELECT position FROM read_models.checkpoints WHERE read_model = $1";
    let statement = client.prepare_cached(sql).await?;
    let found = client.query_opt(&statement, &[&table]).await?;
    Ok(found.map(|row| row.try_get(0)).transpose()?)
}
