//! A row of `strategy_versions`.

use chrono::{DateTime, Utc};
use domain::{ids::StrategyId, market::Symbol, strategy::StrategyDefinition};
use infra::postgres::DatabaseError;
use serde::Serialize;
use tokio_postgres::{Row, types::Json};

use crate::sql::row;

/// The content of a strategy under one version. A deleted strategy has no rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StrategyVersionRow {
    pub strategy_id: StrategyId,
    /// From 1.
    pub version: u32,
    pub name: String,
    pub description: String,
    pub definition: StrategyDefinition,
    pub default_symbol: Option<Symbol>,
    pub created_at: DateTime<Utc>,
}

pub(super) fn read(row: &Row) -> Result<StrategyVersionRow, DatabaseError> {
    let Json(definition) = row.try_get("definition")?;
    let default_symbol: Option<&str> = row.try_get("default_symbol")?;
    Ok(StrategyVersionRow {
        strategy_id: StrategyId::new(row.try_get("strategy_id")?),
        version: row::count(row, "version")?,
        name: row.try_get("name")?,
        description: row.try_get("description")?,
        definition,
        default_symbol: match default_symbol {
            Some(_) => Some(row::word(row, "default_symbol")?),
            None => None,
        },
        created_at: row.try_get("created_at")?,
    })
}
