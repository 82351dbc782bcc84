//! Read model: one row per fill.

use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use domain::{
    event::RecordedEvent,
    ids::{BacktestId, TradeId},
    ledger::LedgerEvent,
    simulation::{Fill, Side},
};
use futures_util::{FutureExt, future::BoxFuture};
use infra::postgres::DatabaseError;
use rust_decimal::Decimal;
use serde::Serialize;
use tokio_postgres::{Row, types::Type};
use uuid::Uuid;

use crate::{
    ReadModels,
    models::{
        backtests::BacktestRow,
        ledger_rows::{self, RunEvent, RunRow, RunRows, integer},
    },
    read_model::{Changes, Folded, Poison, ReadModel, aggregate_id},
    sql::{
        bulk::CopyColumn,
        page::{KeyKind, Order, Page, PageRequest, Place, QueryError, Select},
        row,
    },
};

/// Its permanent name.
pub const NAME: &str = "ledger";
const TABLE: &str = "ledger_v2";
/// A fill's place in its ledger: rows are kept by the place of their event in its stream, which starts anew after
/// a restart of the ledger.
const PLACE: &str = "*, sequence - (SELECT min(first.sequence) FROM read_models.ledger_v2 AS first \
    WHERE first.backtest_id = ledger_v2.backtest_id) + 1 AS place";

pub(crate) const READ_MODEL: ReadModel =
    ReadModel { name: NAME, table: TABLE, aggregates: ledger_rows::AGGREGATES, create, fold };

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
    /// Settled with the exit: received above 0, paid below; none where there was none.
    pub funding: Option<Decimal>,
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

fn read(row: &Row) -> Result<LedgerRow, DatabaseError> {
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
        timestamp: row.try_get("time")?,
        reason: row.try_get("reason")?,
    })
}

/// A row to be written.
struct NewEntry {
    backtest_id: Uuid,
    sequence: i32,
    trade_id: Uuid,
    side: &'static str,
    price: Decimal,
    quantity: Decimal,
    fee: Decimal,
    cash_after: Decimal,
    profit: Option<Decimal>,
    funding: Option<Decimal>,
    time: DateTime<Utc>,
    reason: String,
}

impl RunRow for NewEntry {
    const COLUMNS: &'static [CopyColumn<Self>] = &[
        ("backtest_id", Type::UUID, |row| &row.backtest_id),
        ("sequence", Type::INT4, |row| &row.sequence),
        ("trade_id", Type::UUID, |row| &row.trade_id),
        ("side", Type::TEXT, |row| &row.side),
        ("price", Type::NUMERIC, |row| &row.price),
        ("quantity", Type::NUMERIC, |row| &row.quantity),
        ("fee", Type::NUMERIC, |row| &row.fee),
        ("cash_after", Type::NUMERIC, |row| &row.cash_after),
        ("profit", Type::NUMERIC, |row| &row.profit),
        ("funding", Type::NUMERIC, |row| &row.funding),
        ("time", Type::TIMESTAMPTZ, |row| &row.time),
        ("reason", Type::TEXT, |row| &row.reason),
    ];

    fn backtest_id(&self) -> Uuid {
        self.backtest_id
    }
}

impl Changes for RunRows<NewEntry> {
    fn is_empty(&self) -> bool {
        Self::is_empty(self)
    }

    fn write<'a>(
        self: Box<Self>,
        transaction: &'a Transaction<'a>,
        table: &'a str,
    ) -> BoxFuture<'a, Result<(), DatabaseError>> {
        async move { Self::write(&self, transaction, table).await }.boxed()
    }
}

fn create(table: &str) -> String {
    format!(
        "CREATE TABLE read_models.{table} (\
         backtest_id uuid NOT NULL, sequence integer NOT NULL, trade_id uuid NOT NULL, \
         side text NOT NULL, price numeric NOT NULL, quantity numeric NOT NULL, \
         fee numeric NOT NULL, cash_after numeric NOT NULL, profit numeric, \
         funding numeric, time timestamptz NOT NULL, reason text NOT NULL, \
         PRIMARY KEY (backtest_id, sequence));"
    )
}

fn fold(events: &[&RecordedEvent]) -> Folded {
    let mut changes = RunRows::new();
    for event in events {
        let backtest_id = aggregate_id(event)?;
        match RunEvent::decode(event)? {
            RunEvent::Ledger(LedgerEvent::TradeOpened { trade_id, fill, .. }) => {
                changes.rows.push(entry(event, trade_id, fill, None, None)?);
            }
            RunEvent::Ledger(
                LedgerEvent::TradeClosed { trade_id, fill, pnl, funding, .. }
                | LedgerEvent::TradeReduced { trade_id, fill, pnl, funding, .. },
            ) => {
                let funding = Some(funding).filter(|funding| !funding.is_zero());
                changes.rows.push(entry(event, trade_id, fill, Some(pnl), funding)?);
            }
            RunEvent::Ledger(LedgerEvent::LedgerRestarted { .. }) | RunEvent::Deleted => {
                changes.clear(backtest_id);
            }
            RunEvent::Ledger(
                LedgerEvent::LedgerOpened { .. }
                | LedgerEvent::EquityRecorded { .. }
                | LedgerEvent::LedgerClosed { .. },
            )
            | RunEvent::Lifecycle
            | RunEvent::Equity => {}
        }
    }
    Ok(Box::new(changes))
}

fn entry(
    event: &RecordedEvent,
    trade_id: TradeId,
    fill: Fill,
    profit: Option<Decimal>,
    funding: Option<Decimal>,
) -> Result<NewEntry, Poison> {
    // The first event of a ledger is its opening.
    let sequence = u32::try_from(event.sequence - 1)
        .map_err(|_| Poison::Unfit(format!("a fill is event {} of its ledger", event.sequence)))?;
    Ok(NewEntry {
        backtest_id: aggregate_id(event)?,
        sequence: integer(sequence)?,
        trade_id: trade_id.uuid(),
        side: match fill.side {
            Side::Buy => "buy",
            Side::Sell => "sell",
        },
        price: fill.price,
        quantity: fill.quantity,
        fee: fill.fee,
        cash_after: fill.cash_after,
        profit,
        funding,
        time: ledger_rows::time(fill.time)?,
        reason: fill.reason,
    })
}
