//! Read model: one row per version of a strategy.

use chrono::{DateTime, Utc};
use domain::{ids::StrategyId, market::Symbol, strategy::StrategyDefinition};
use infra::postgres::DatabaseError;
use serde::Serialize;
use tokio_postgres::{Row, types::Json};

use crate::{
    ReadModels,
    page::{KeyKind, Order, Page, PageRequest, Place, QueryError, Select},
    row,
};

/// Its permanent name.
pub const NAME: &str = "strategy_versions";
pub(crate) const TABLE: &str = "strategy_versions_v1";

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

impl ReadModels {
    /// The versions of a strategy, newest first.
    ///
    /// # Errors
    /// A cursor that is none, or the database.
    pub async fn strategy_versions(
        &self,
        strategy_id: StrategyId,
        page: &PageRequest,
    ) -> Result<Page<StrategyVersionRow>, QueryError> {
        let mut select = Select::new("*", TABLE);
        select.compare("strategy_id =", strategy_id.uuid());
        let order =
            Order { expression: "version", kind: KeyKind::Integer, descending: true, tie: None };
        let read = |row: &Row| {
            let version = read(row)?;
            let place = Place::integer(i64::from(version.version));
            Ok((version, place))
        };
        select.page(&self.database, &order, page, None, read).await
    }

    /// One version of a strategy.
    ///
    /// # Errors
    /// The database.
    pub async fn strategy_version(
        &self,
        strategy_id: StrategyId,
        version: u32,
    ) -> Result<Option<StrategyVersionRow>, QueryError> {
        let client = self.database.get().await?;
        let sql = format!(
            "SELECT * FROM read_models.{TABLE} WHERE strategy_id = $1 AND version = $2::bigint"
        );
        let statement = client.prepare_cached(&sql).await?;
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 2] =
            [&strategy_id.uuid(), &i64::from(version)];
        let found = client.query_opt(&statement, &parameters).await?;
        Ok(found.as_ref().map(read).transpose()?)
    }
}

fn read(row: &Row) -> Result<StrategyVersionRow, DatabaseError> {
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
