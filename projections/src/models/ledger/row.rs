//! A row of `ledger`.

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

use crate::sql::row;

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
    /// Settled with the exit: received above 0, paid below; `None` if there was no funding.
    pub funding: Option<Decimal>,
    /// What an exit lost beyond all cash, 0 or more and not in `profit`; `None` on entry, and where an older version did not
    /// record it.
    pub shortfall: Option<Decimal>,
    pub timestamp: DateTime<Utc>,
    pub reason: String,
}

pub(super) fn read(row: &Row) -> Result<LedgerRow, DatabaseError> {
    let sequence = row::count(row, "place")?;
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
        funding: row.try_get("funding")?,
        shortfall: row.try_get("shortfall")?,
        timestamp: row.try_get("time")?,
        reason: row.try_get("reason")?,
    })
}
