//! Read model: one row per backtest, metrics as typed, indexed columns.

mod filter;
mod fold;
mod list;
pub mod metric;
mod row;
mod walk;

use domain::ids::BacktestId;
use uuid::Uuid;

use crate::{
    error::QueryError, handle::ReadModels, models::backtests::metric::Metric, sql::by_ids,
};

pub use filter::{BacktestFilter, TimeRange};
pub(crate) use fold::READ_MODEL;
pub use row::BacktestRow;
use row::{columns, read};

/// Its permanent name.
pub const NAME: &str = "backtests";
const TABLE: &str = "backtests_v6";
/// The metrics of completed runs, which never change.
const METRICS: &str = "backtests_v6_metrics";

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
        let sql = by_ids::select(&columns(), TABLE) + &by_ids::and_row_of(METRICS, "m", "t");
        let statement = client.prepare_cached(&sql).await?;
        let found = client.query(&statement, &[&ids]).await?;
        Ok(found.iter().map(read).collect::<Result<_, _>>()?)
    }
}
