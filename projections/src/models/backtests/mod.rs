//! Read model: one row per backtest, metrics as typed, indexed columns.

mod fold;
pub mod metric;
mod row;

use chrono::{DateTime, Utc};
use domain::{
    backtest::Origin,
    ids::{BacktestId, StrategyId, UserId},
    job::Status,
    market::{Symbol, Timeframe},
};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    error::QueryError,
    handle::ReadModels,
    models::backtests::metric::{Metric, MetricFilter},
    sql::page::{KeyKind, Order, Page, PageRequest, Place, Select},
};

pub(crate) use fold::READ_MODEL;
pub use row::BacktestRow;
use row::read;

/// Its permanent name.
pub const NAME: &str = "backtests";
const TABLE: &str = "backtests_v5";

/// Which backtests a list shows; what is none does not matter.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BacktestFilter {
    pub owner_id: Option<UserId>,
    pub strategy_id: Option<StrategyId>,
    /// Any of them; all if there is none.
    pub statuses: Vec<Status>,
    pub symbol: Option<Symbol>,
    /// Every market with that base.
    pub asset_symbol: Option<String>,
    pub timeframe: Option<Timeframe>,
    /// Any of them; all if there is none.
    pub origins: Vec<Origin>,
    /// A part of the strategy's name or of the market's symbol, in any case.
    pub search: Option<String>,
    /// All of them hold.
    pub metrics: Vec<MetricFilter>,
    pub created_at: TimeRange,
    pub completed_at: TimeRange,
    pub start_time: TimeRange,
    pub end_time: TimeRange,
}

/// Both ends inclusive; an end that is none is open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TimeRange {
    pub from: Option<DateTime<Utc>>,
    pub to: Option<DateTime<Utc>>,
}

/// What a list of backtests is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BacktestSort {
    CreatedAt,
    /// Runs without the metric come last in both directions.
    Metric(Metric),
}

impl ReadModels {
    /// The backtest of that id; the caller checks access. Waits for one that was just created.
    ///
    /// # Errors
    /// The read model is behind, or the database.
    pub async fn backtest(&self, id: BacktestId) -> Result<Option<BacktestRow>, QueryError> {
        let found = self.backtests_by_ids(&[id]).await?.pop();
        if found.is_some() || !self.stream_exists(NAME, "backtest", &id.to_string()).await? {
            return Ok(found);
        }
        Ok(self.backtests_by_ids(&[id]).await?.pop())
    }

    /// Those of the ids that exist, in no order.
    ///
    /// # Errors
    /// The database.
    pub async fn backtests_by_ids(
        &self,
        ids: &[BacktestId],
    ) -> Result<Vec<BacktestRow>, QueryError> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
        let client = self.database.get().await?;
        let sql = format!("SELECT * FROM read_models.{TABLE} WHERE id = ANY($1)");
        let statement = client.prepare_cached(&sql).await?;
        let found = client.query(&statement, &[&ids]).await?;
        Ok(found.iter().map(read).collect::<Result<_, _>>()?)
    }

    /// A page of backtests.
    ///
    /// # Errors
    /// A cursor of another order, or the database.
    pub async fn list_backtests(
        &self,
        filter: &BacktestFilter,
        sort: BacktestSort,
        descending: bool,
        page: &PageRequest,
    ) -> Result<Page<BacktestRow>, QueryError> {
        let (expression, kind) = match sort {
            BacktestSort::CreatedAt => ("created_at", KeyKind::Time),
            BacktestSort::Metric(metric) => (metric.expression(), KeyKind::Number),
        };
        let mut select = Select::new(format!("*, {expression} AS sort_key"), TABLE);
        filter.apply(&mut select);
        let order = Order { expression, kind, descending, tie: Some("id") };
        let read = |row: &Row| {
            let backtest = read(row)?;
            let id = backtest.id.uuid();
            let place = match sort {
                BacktestSort::CreatedAt => Place::time(backtest.created_at, id),
                BacktestSort::Metric(_) => Place::number(row.try_get("sort_key")?, id),
            };
            Ok((backtest, place))
        };
        select.page(&self.database, &order, page, None, read).await
    }
}

impl BacktestFilter {
    fn apply(&self, select: &mut Select) {
        if let Some(owner) = self.owner_id {
            select.compare("owner_id =", owner.uuid());
        }
        if let Some(strategy) = self.strategy_id {
            select.compare("strategy_id =", strategy.uuid());
        }
        select.any("status", &self.statuses, Status::as_str);
        if let Some(symbol) = &self.symbol {
            select.compare("symbol =", symbol.as_str().to_owned());
        }
        if let Some(asset) = &self.asset_symbol {
            select.compare("asset_symbol =", asset.clone());
        }
        if let Some(timeframe) = self.timeframe {
            select.compare("timeframe =", timeframe.as_str());
        }
        select.any("origin", &self.origins, Origin::as_str);
        if let Some(search) = &self.search {
            select.contains(&["strategy_name", "symbol"], search);
        }
        for MetricFilter { metric, comparison, value } in &self.metrics {
            select.compare(&format!("{} {}", metric.expression(), comparison.sql()), *value);
        }
        let ranges = [
            ("created_at", self.created_at),
            ("completed_at", self.completed_at),
            ("start_time", self.start_time),
            ("end_time", self.end_time),
        ];
        for (column, range) in ranges {
            if let Some(from) = range.from {
                select.compare(&format!("{column} >="), from);
            }
            if let Some(to) = range.to {
                select.compare(&format!("{column} <="), to);
            }
        }
    }
}
