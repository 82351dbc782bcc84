//! Read model: one row per round trip.

mod fold;
mod row;

use domain::{ids::BacktestId, simulation::Direction};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    error::QueryError,
    handle::ReadModels,
    models::backtests::BacktestRow,
    sql::page::{KeyKind, Order, Page, PageRequest, Place, Select},
};

pub(crate) use fold::READ_MODEL;
pub use row::TradeRow;
use row::read;

/// Its permanent name.
pub const NAME: &str = "trades";
const TABLE: &str = "trades_v4";

/// Which trades of a run a list shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TradeFilter {
    pub direction: Option<Direction>,
    pub result: Option<TradeResult>,
}

/// How a closed trade ended; one with a pnl of 0 is neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TradeResult {
    Win,
    Loss,
}

impl ReadModels {
    /// A page of a run's trades, in order; waits until all that `backtest` knows of are there.
    ///
    /// # Errors
    /// A cursor that is none, a read model that is behind, or the database.
    pub async fn trades(
        &self,
        backtest: &BacktestRow,
        filter: TradeFilter,
        page: &PageRequest,
    ) -> Result<Page<TradeRow>, QueryError> {
        self.wait_to_read(NAME, backtest.position).await?;
        let mut select = Select::new("*", TABLE);
        select.compare("backtest_id =", backtest.id.uuid());
        if let Some(direction) = filter.direction {
            select.compare("direction =", direction.as_str());
        }
        match filter.result {
            Some(TradeResult::Win) => select.only("pnl > 0".to_owned()),
            Some(TradeResult::Loss) => select.only("pnl < 0".to_owned()),
            None => {}
        }
        let is_whole = filter == TradeFilter::default();
        let total = is_whole.then_some(i64::from(backtest.trades_count));
        let order =
            Order { expression: "number", kind: KeyKind::Integer, descending: false, tie: None };
        let read = |row: &Row| {
            let trade = read(row)?;
            let place = Place::integer(i64::from(trade.number));
            Ok((trade, place))
        };
        select.page(&self.database, &order, page, total, read).await
    }

    /// The first `limit` trades after number `after` of each run, by run and number, in one statement;
    /// waits until `position` (the highest of the runs' rows) is passed.
    ///
    /// # Errors
    /// A read model that is behind, or the database.
    pub async fn trades_of_backtests(
        &self,
        ids: &[BacktestId],
        position: i64,
        after: u32,
        limit: i64,
    ) -> Result<Vec<TradeRow>, QueryError> {
        self.wait_to_read(NAME, position).await?;
        let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
        let client = self.database.get().await?;
        let sql = format!(
            "SELECT trade.* FROM unnest($1::uuid[]) AS run (id) CROSS JOIN LATERAL \
             (SELECT * FROM read_models.{TABLE} WHERE backtest_id = run.id \
              AND number > $2::bigint ORDER BY number LIMIT $3) AS trade \
             ORDER BY trade.backtest_id, trade.number"
        );
        let statement = client.prepare_cached(&sql).await?;
        let found = client.query(&statement, &[&ids, &i64::from(after), &limit]).await?;
        Ok(found.iter().map(read).collect::<Result<_, _>>()?)
    }
}
