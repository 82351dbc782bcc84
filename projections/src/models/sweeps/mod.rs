//! Read model: one row per sweep, with what it found; its rows lie in `sweep_results`.

mod fold;
pub mod results;
mod row;

use domain::{
    ids::{StrategyId, SweepId, UserId},
    job::Status,
    market::Symbol,
};
use tokio_postgres::Row;

use crate::{
    error::QueryError,
    handle::ReadModels,
    sql::page::{KeyKind, Order, Page, PageRequest, Place, Select},
};

pub(crate) use fold::READ_MODEL;
pub use row::SweepRow;
use row::read;

/// Its permanent name.
pub const NAME: &str = "sweeps";
const TABLE: &str = "sweeps_v2";

/// Filters a list of sweeps. Fields that are not set let every sweep through.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SweepFilter {
    pub owner_id: Option<UserId>,
    pub strategy_id: Option<StrategyId>,
    /// Matches any of these; if empty, all.
    pub statuses: Vec<Status>,
    pub symbol: Option<Symbol>,
    /// Every market with that base.
    pub asset_symbol: Option<String>,
}

impl ReadModels {
    /// The sweep of that id; the caller checks access. Waits for one that was just created.
    ///
    /// # Errors
    /// The read model is behind, or the database.
    pub async fn sweep(&self, id: SweepId) -> Result<Option<SweepRow>, QueryError> {
        let found = self.find_sweep(id).await?;
        if found.is_some() || !self.stream_exists(NAME, "sweep", &id.to_string()).await? {
            return Ok(found);
        }
        self.find_sweep(id).await
    }

    async fn find_sweep(&self, id: SweepId) -> Result<Option<SweepRow>, QueryError> {
        let client = self.database.get().await?;
        let sql = format!("SELECT * FROM read_models.{TABLE} WHERE id = $1");
        let statement = client.prepare_cached(&sql).await?;
        let found = client.query_opt(&statement, &[&id.uuid()]).await?;
        Ok(found.as_ref().map(read).transpose()?)
    }

    /// A page of sweeps by the time of their request.
    ///
    /// # Errors
    /// A cursor of another order, or the database.
    pub async fn list_sweeps(
        &self,
        filter: &SweepFilter,
        descending: bool,
        page: &PageRequest,
    ) -> Result<Page<SweepRow>, QueryError> {
        let mut select = Select::new("*", TABLE);
        if let Some(owner) = filter.owner_id {
            select.compare("owner_id =", owner.uuid());
        }
        if let Some(strategy) = filter.strategy_id {
            select.compare("strategy_id =", strategy.uuid());
        }
        select.any("status", &filter.statuses, Status::as_str);
        if let Some(symbol) = &filter.symbol {
            select.compare("symbol =", symbol.as_str().to_owned());
        }
        if let Some(asset) = &filter.asset_symbol {
            select.compare("asset_symbol =", asset.clone());
        }
        let order =
            Order { expression: "created_at", kind: KeyKind::Time, descending, tie: Some("id") };
        let read = |row: &Row| {
            let sweep = read(row)?;
            let place = Place::time(sweep.created_at, sweep.id.uuid());
            Ok((sweep, place))
        };
        select.page(&self.database, &order, page, None, read).await
    }
}
