//! Read model: one row per fill.

use chrono::{DateTime, Utc};
use domain::{
    ids::{BacktestId, TradeId},
    simulation::Side,
};
use infra::postgres::DatabaseError;
use rust_decimal::Decimal;
use serde::Serialize;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    ReadModels,
    backtests::BacktestRow,
    page::{KeyKind, Order, Page, PageRequest, Place, QueryError, Select},
    row,
};

/// Its permanent name.
pub const NAME: &str = "ledger";
pub(crate) const TABLE: &str = "ledger_v1";

/// One fill: an entry of a run's ledger.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LedgerRow {
    /// UUIDv5 of the trade and the sequence, the same in every attempt.
    pub id: Uuid,
    pub backtest_id: BacktestId,
    /// From 1, without a gap.
    pub sequence: u32,
    pub trade_id: TradeId,
    pub side: Side,
    pub price: Decimal,
    pub quantity: Decimal,
    pub fee: Decimal,
    pub cash_after: Decimal,
    /// Net of both fees; none on entry.
    pub profit: Option<Decimal>,
    pub timestamp: DateTime<Utc>,
    pub reason: String,
}

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
        let mut select = Select::new("*", TABLE);
        select.compare("backtest_id =", backtest.id.uuid());
        let order =
            Order { expression: "sequence", kind: KeyKind::Integer, descending: false, tie: None };
        let read = |row: &Row| {
            let entry = read(row)?;
            let place = Place::integer(i64::from(entry.sequence));
            Ok((entry, place))
        };
        let total = Some(i64::from(backtest.ledger_entries_count));
        select.page(&self.database, &order, page, total, read).await
    }
}

fn read(row: &Row) -> Result<LedgerRow, DatabaseError> {
    let sequence = row::count(row, "sequence")?;
    let trade_id: Uuid = row.try_get("trade_id")?;
    Ok(LedgerRow {
        id: Uuid::new_v5(&trade_id, &sequence.to_be_bytes()),
        backtest_id: BacktestId::new(row.try_get("backtest_id")?),
        sequence,
        trade_id: TradeId::new(trade_id),
        side: row::word(row, "side")?,
        price: row.try_get("price")?,
        quantity: row.try_get("quantity")?,
        fee: row.try_get("fee")?,
        cash_after: row.try_get("cash_after")?,
        profit: row.try_get("profit")?,
        timestamp: row.try_get("time")?,
        reason: row.try_get("reason")?,
    })
}
