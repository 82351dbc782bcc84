//! A row of `strategies`.

use chrono::{DateTime, Utc};
use domain::{
    ids::{StrategyId, UserId},
    market::Symbol,
    strategy::StrategyDefinition,
};
use infra::postgres::DatabaseError;
use serde::Serialize;
use tokio_postgres::{Row, types::Json};

use crate::sql::row;

/// A strategy as it is now. Deleted ones have no row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StrategyRow {
    pub id: StrategyId,
    pub owner_id: UserId,
    pub slug: String,
    pub name: String,
    pub description: String,
    pub definition: StrategyDefinition,
    pub default_symbol: Option<Symbol>,
    pub is_active: bool,
    pub is_public: bool,
    pub version: u32,
    /// Of its last event: the ETag.
    pub sequence: i64,
    /// Of its last event.
    pub position: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

pub(super) fn read(row: &Row) -> Result<StrategyRow, DatabaseError> {
    let Json(definition) = row.try_get("definition")?;
    let default_symbol: Option<&str> = row.try_get("default_symbol")?;
    Ok(StrategyRow {
        id: StrategyId::new(row.try_get("id")?),
        owner_id: UserId::new(row.try_get("owner_id")?),
        slug: row.try_get("slug")?,
        name: row.try_get("name")?,
        description: row.try_get("description")?,
        definition,
        default_symbol: match default_symbol {
            Some(_) => Some(row::word(row, "default_symbol")?),
            None => None,
        },
        is_active: row.try_get("is_active")?,
        is_public: row.try_get("is_public")?,
        version: row::count(row, "version")?,
        sequence: row.try_get("sequence")?,
        position: row.try_get("position")?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
    })
}
