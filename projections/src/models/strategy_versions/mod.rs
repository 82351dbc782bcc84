//! Read model: one row per version of a strategy.

mod fold;
mod row;

use std::collections::BTreeSet;

use domain::ids::StrategyId;
use tokio_postgres::Row;

use crate::{
    error::QueryError,
    handle::ReadModels,
    sql::page::{KeyKind, Order, Page, PageRequest, Place, Select},
};

pub(crate) use fold::READ_MODEL;
pub use row::StrategyVersionRow;
use row::read;

/// Its permanent name.
pub const NAME: &str = "strategy_versions";
const TABLE: &str = "strategy_versions_v1";

impl ReadModels {
    /// The versions of a strategy, or only these, newest first.
    ///
    /// # Errors
    /// A cursor that is none, or the database.
    pub async fn strategy_versions(
        &self,
        strategy_id: StrategyId,
        only: Option<&BTreeSet<u32>>,
        page: &PageRequest,
    ) -> Result<Page<StrategyVersionRow>, QueryError> {
        let mut select = Select::new("*", TABLE);
        select.compare("strategy_id =", strategy_id.uuid());
        if let Some(only) = only {
            let only: Vec<i64> = only.iter().map(|version| i64::from(*version)).collect();
            let versions = select.bind(only);
            select.only(format!("version = ANY ({versions}::bigint[])"));
        }
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
