//! Read model: a run's equity, one row per event that recorded some of it.

mod fold;
mod row;

use chrono::{DateTime, Utc};

use crate::{error::QueryError, handle::ReadModels, models::backtests::BacktestRow};

pub(crate) use fold::READ_MODEL;
pub use row::EquityRow;

/// Its permanent name.
pub const NAME: &str = "equity_curves";
const TABLE: &str = "equity_curves_v2";

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
            "SELECT times, equities FROM read_models.{TABLE} WHERE backtest_id = $1 ORDER BY sequence"
        );
        let statement = client.prepare_cached(&sql).await?;
        let mut curve = Vec::new();
        for row in client.query(&statement, &[&backtest.id.uuid()]).await? {
            let times: Vec<DateTime<Utc>> = row.try_get("times")?;
            let equities: Vec<f64> = row.try_get("equities")?;
            let points = times.into_iter().zip(equities);
            curve.extend(points.map(|(time, equity)| EquityRow { time, equity }));
        }
        Ok(curve)
    }
}
