//! Read model: one row per backtest, metrics as typed, indexed columns.

mod fold;
mod list;
pub mod metric;
mod row;

use chrono::{DateTime, Utc};
use domain::{
    backtest::Origin,
    ids::{BacktestId, StrategyId, UserId},
    job::Status,
    market::{Symbol, Timeframe},
};
use uuid::Uuid;

use crate::{
    error::QueryError,
    handle::ReadModels,
    models::backtests::metric::{Metric, MetricFilter},
    sql::{by_ids, page::Select},
};

pub(crate) use fold::READ_MODEL;
pub use row::BacktestRow;
use row::{columns, read};

/// Its permanent name.
pub const NAME: &str = "backtests";
const TABLE: &str = "backtests_v5";
/// The metrics of completed runs, which never change.
const METRICS: &str = "backtests_v5_metrics";

/// Metrics and balances by which lists are sorted from an index; of the others, the newest runs are sorted.
const INDEXED_METRICS: [&str; 15] = [
    "sharpe_ratio",
    "sortino_ratio",
    "calmar_ratio",
    "total_return",
    "annual_return",
    "cagr",
    "volatility",
    "max_drawdown",
    "max_drawdown_percentage",
    "win_rate",
    "profit_factor",
    "expectancy",
    "total_trades",
    "total_pnl",
    "final_balance",
];

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
    /// Runs that have not ended come last in both directions.
    CompletedAt,
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
        let sql = by_ids::select(&columns(), TABLE) + &by_ids::and_row_of(METRICS);
        let statement = client.prepare_cached(&sql).await?;
        let found = client.query(&statement, &[&ids]).await?;
        Ok(found.iter().map(read).collect::<Result<_, _>>()?)
    }
}

impl TimeRange {
    /// Adds it as conditions on a column.
    fn add(self, select: &mut Select, column: &str) {
        if let Some(from) = self.from {
            select.compare(&format!("{column} >="), from);
        }
        if let Some(to) = self.to {
            select.compare(&format!("{column} <="), to);
        }
    }
}
