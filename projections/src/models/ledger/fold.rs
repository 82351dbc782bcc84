//! Turns fills into the rows of a ledger.

use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use domain::{
    event::RecordedEvent,
    ids::TradeId,
    ledger::{ClosedTrade, LedgerEvent},
    simulation::Fill,
};
use futures_util::{FutureExt, future::BoxFuture};
use infra::postgres::DatabaseError;
use rust_decimal::Decimal;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::{NAME, TABLE};
use crate::{
    error::Poison,
    models::ledger_rows::{self, RunEvent, RunRow, RunRows, integer},
    read_model::{Changes, Folded, ReadModel, aggregate_id},
    sql::bulk::CopyColumn,
};

pub(crate) const READ_MODEL: ReadModel = ReadModel {
    name: NAME,
    table: TABLE,
    aggregates: ledger_rows::AGGREGATES,
    first_events_only: false,
    create,
    fold,
};

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
    shortfall: Option<Decimal>,
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
        ("shortfall", Type::NUMERIC, |row| &row.shortfall),
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
         funding numeric, shortfall numeric, time timestamptz NOT NULL, reason text NOT NULL, \
         PRIMARY KEY (backtest_id, sequence));"
    )
}

fn fold(events: &[&RecordedEvent]) -> Folded {
    let mut changes = RunRows::new();
    for event in events {
        let backtest_id = aggregate_id(event)?;
        let ledger = match RunEvent::decode(event)? {
            RunEvent::Ledger(ledger) => ledger,
            RunEvent::Deleted => {
                changes.clear(backtest_id);
                continue;
            }
            RunEvent::Lifecycle | RunEvent::Equity => continue,
        };
        match &*ledger {
            LedgerEvent::TradeOpened { trade_id, fill, .. } => {
                changes.rows.push(entry(event, *trade_id, fill)?);
            }
            LedgerEvent::TradeClosed(closed) | LedgerEvent::TradeReduced { part: closed, .. } => {
                let ClosedTrade { trade_id, ref fill, pnl, funding, shortfall, .. } = *closed;
                let funding = Some(funding).filter(|funding| !funding.is_zero());
                let entry = entry(event, trade_id, fill)?;
                changes.rows.push(NewEntry { profit: Some(pnl), funding, shortfall, ..entry });
            }
            LedgerEvent::LedgerRestarted { .. } => changes.clear(backtest_id),
            LedgerEvent::LedgerOpened { .. }
            | LedgerEvent::EquityRecorded(_)
            | LedgerEvent::LedgerClosed { .. } => {}
        }
    }
    Ok(Box::new(changes))
}

fn entry(event: &RecordedEvent, trade_id: TradeId, fill: &Fill) -> Result<NewEntry, Poison> {
    // The first event of a ledger is its opening.
    let sequence = u32::try_from(event.sequence - 1)
        .map_err(|_| Poison::Unfit(format!("a fill is event {} of its ledger", event.sequence)))?;
    Ok(NewEntry {
        backtest_id: aggregate_id(event)?,
        sequence: integer(sequence)?,
        trade_id: trade_id.uuid(),
        side: fill.side.as_str(),
        price: fill.price,
        quantity: fill.quantity,
        fee: fill.fee,
        cash_after: fill.cash_after,
        profit: None,
        funding: None,
        shortfall: None,
        time: ledger_rows::time(fill.time)?,
        reason: fill.reason.to_string(),
    })
}
