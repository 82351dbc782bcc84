//! A row of `trades`.

use chrono::{DateTime, Utc};
use domain::{
    ids::{BacktestId, TradeId},
    simulation::Direction,
};
use infra::postgres::DatabaseError;
use rust_decimal::Decimal;
use serde::Serialize;
use tokio_postgres::Row;

use crate::sql::row;

/// A round trip, or its open half: `exit_*` and `pnl*` are `None` while it is open.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TradeRow {
    pub id: TradeId,
    pub backtest_id: BacktestId,
    /// From 1, in order of entry; a part that was closed on its own has the next number of when it was closed.
    pub number: u32,
    pub direction: Direction,
    pub entry_time: DateTime<Utc>,
    pub entry_price: Decimal,
    pub exit_time: Option<DateTime<Utc>>,
    pub exit_price: Option<Decimal>,
    pub quantity: Decimal,
    /// Net of both fees.
    pub pnl: Option<Decimal>,
    /// 100 × pnl ÷ entry notional.
    pub pnl_percentage: Option<Decimal>,
    /// Of the fills so far.
    pub fees: Decimal,
    pub entry_reason: String,
    pub exit_reason: Option<String>,
    pub is_ambiguous: bool,
    /// Received above 0, paid below, and not in `pnl`; `None` if there was no funding.
    pub funding: Option<Decimal>,
    /// What its exit lost beyond all cash, 0 or more and not in `pnl`; `None` while it is open, and where an older version
    /// did not record it.
    pub shortfall: Option<Decimal>,
    /// The number of the trade of which this is a part that was closed on its own.
    pub part_of: Option<u32>,
    /// From the candle of the entry to the candle of the exit; `None` while it is open, and in old runs.
    pub candles_count: Option<u32>,
    /// As the entry set it; `None` if there was none, and in old runs.
    pub stop_price: Option<Decimal>,
    /// As the entry set it; `None` if there was none, and in old runs.
    pub target_price: Option<Decimal>,
    /// A fraction of the entry price; `None` while it is open, and in old runs.
    pub max_adverse: Option<f64>,
    /// A fraction of the entry price; `None` while it is open, and in old runs.
    pub max_favorable: Option<f64>,
    /// When its entry was recorded.
    pub created_at: DateTime<Utc>,
}

pub(super) fn read(row: &Row) -> Result<TradeRow, DatabaseError> {
    Ok(TradeRow {
        id: TradeId::new(row.try_get("id")?),
        backtest_id: BacktestId::new(row.try_get("backtest_id")?),
        number: row::count(row, "number")?,
        direction: row::word(row, "direction")?,
        entry_time: row.try_get("entry_time")?,
        entry_price: row.try_get("entry_price")?,
        exit_time: row.try_get("exit_time")?,
        exit_price: row.try_get("exit_price")?,
        quantity: row.try_get("quantity")?,
        pnl: row.try_get("pnl")?,
        pnl_percentage: row.try_get("pnl_percentage")?,
        fees: row.try_get("fees")?,
        entry_reason: row.try_get("entry_reason")?,
        exit_reason: row.try_get("exit_reason")?,
        is_ambiguous: row.try_get("is_ambiguous")?,
        funding: row.try_get("funding")?,
        shortfall: row.try_get("shortfall")?,
        part_of: row::optional_count(row, "part_of")?,
        candles_count: row::optional_count(row, "candles_count")?,
        stop_price: row.try_get("stop_price")?,
        target_price: row.try_get("target_price")?,
        max_adverse: row.try_get("max_adverse")?,
        max_favorable: row.try_get("max_favorable")?,
        created_at: row.try_get("created_at")?,
    })
}
