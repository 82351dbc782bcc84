//! Read model: one row per fill.

mod fold;
mod row;

use tokio_postgres::Row;

use crate::{
    error::QueryError,
    handle::ReadModels,
    models::backtests::BacktestRow,
    sql::page::{KeyKind, Order, Page, PageRequest, Place, Select},
};

pub(crate) use fold::READ_MODEL;
pub use row::LedgerRow;
use row::read;

/// Its permanent name.
pub const NAME: &str = "ledger";
const TABLE: &str = "ledger_v3";
/// A fill's place in its ledger: rows are kept by the place of their event in its stream, which starts anew after
/// a restart of the ledger.
const PLACE: &str = "*, sequence - (SELECT min(first.sequence) FROM read_models.ledger_v3 AS first \
    WHERE first.backtest_id = ledger_v3.backtest_id) + 1 AS place";

impl ReadModels {
    /// A page of a run's fills, in order; waits until all that `backtest` knows of are there.
    ///
    /// # Errors
    /// A cursor that is none, a read model that is behind, or the database.
    pub async fn ledger(
        &self,
        backtest: &BacktestRow,
        page: &PageRequest,
    ) -> Result<Page<LedgerRow>, QueryError> {
        self.wait_to_read(NAME, backtest.position).await?;
        let mut select = Select::new(PLACE, TABLE);
        select.compare("backtest_id =", backtest.id.uuid());
        let order =
            Order { expression: "sequence", kind: KeyKind::Integer, descending: false, tie: None };
        let read = |row: &Row| {
            let stored: i32 = row.try_get("sequence")?;
            Ok((read(row)?, Place::integer(i64::from(stored))))
        };
        let total = Some(i64::from(backtest.ledger_entries_count));
        select.page(&self.database, &order, page, total, read).await
    }
}
