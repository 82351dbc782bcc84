//! Read model: one row per point of a run's equity.

use chrono::{DateTime, Utc};

use crate::{ReadModels, backtests::BacktestRow, page::QueryError};

/// Its permanent name.
pub const NAME: &str = "equity_curves";
pub(crate) const TABLE: &str = "equity_curves_v1";

/// The last equity of a UTC day (or of every few days in runs over 4,096 days).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EquityRow {
    pub time: DateTime<Utc>,
    /// Quote money.
    pub equity: f64,
}

impl ReadModels {
    /// A run's equity in order of time, at most about 4,096 points; waits until all that `backtest`
    /// knows of are there.
    ///
    /// # Errors
    /// A read model that is behind, or the database.
    pub async fn equity_curve(&self, backtest: &BacktestRow) -> Result<Vec<EquityRow>, QueryError> {
        self.wait_to_read(NAME, backtest.position).await?;
        let client = self.database.get().await?;
        let sql = format!(
            "SELECT time, equity FROM read_models.{TABLE} WHERE backtest_id = $1 ORDER BY time"
        );
        let statement = client.prepare_cached(&sql).await?;
        let found = client.query(&statement, &[&backtest.id.uuid()]).await?;
        let read = |row: &tokio_postgres::Row| {
            Ok(EquityRow { time: row.try_get("time")?, equity: row.try_get("equity")? })
        };
        found.iter().map(read).collect()
    }
}
