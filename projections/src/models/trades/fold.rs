//! Turns fills into the rows of trades.

use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use domain::{
    event::RecordedEvent,
    ids::{BacktestId, TradeId},
    ledger::{ClosedTrade, LedgerEvent},
    simulation::{Direction, Fill, trade::pnl_percentage},
};
use futures_util::{FutureExt, future::BoxFuture};
use infra::postgres::DatabaseError;
use rust_decimal::Decimal;
use serde::Serialize;
use tokio_postgres::types::{Json, Type};
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

/// Trades opened in this batch, and what became of those opened before it: one row each, the last of them.
struct TradeChanges {
    opened: RunRows<NewTrade>,
    changed: Vec<NewTrade>,
}

/// A row to be written.
#[derive(Debug, Serialize)]
struct NewTrade {
    backtest_id: Uuid,
    number: i32,
    id: Uuid,
    direction: &'static str,
    entry_time: DateTime<Utc>,
    entry_price: Decimal,
    exit_time: Option<DateTime<Utc>>,
    exit_price: Option<Decimal>,
    quantity: Decimal,
    pnl: Option<Decimal>,
    pnl_percentage: Option<Decimal>,
    fees: Decimal,
    entry_reason: String,
    exit_reason: Option<String>,
    is_ambiguous: bool,
    funding: Option<Decimal>,
    shortfall: Option<Decimal>,
    part_of: Option<i32>,
    candles_count: Option<i32>,
    stop_price: Option<Decimal>,
    target_price: Option<Decimal>,
    max_adverse: Option<f64>,
    max_favorable: Option<f64>,
    created_at: DateTime<Utc>,
}

impl RunRow for NewTrade {
    const COLUMNS: &'static [CopyColumn<Self>] = &[
        ("backtest_id", Type::UUID, |row| &row.backtest_id),
        ("number", Type::INT4, |row| &row.number),
        ("id", Type::UUID, |row| &row.id),
        ("direction", Type::TEXT, |row| &row.direction),
        ("entry_time", Type::TIMESTAMPTZ, |row| &row.entry_time),
        ("entry_price", Type::NUMERIC, |row| &row.entry_price),
        ("exit_time", Type::TIMESTAMPTZ, |row| &row.exit_time),
        ("exit_price", Type::NUMERIC, |row| &row.exit_price),
        ("quantity", Type::NUMERIC, |row| &row.quantity),
        ("pnl", Type::NUMERIC, |row| &row.pnl),
        ("pnl_percentage", Type::NUMERIC, |row| &row.pnl_percentage),
        ("fees", Type::NUMERIC, |row| &row.fees),
        ("entry_reason", Type::TEXT, |row| &row.entry_reason),
        ("exit_reason", Type::TEXT, |row| &row.exit_reason),
        ("is_ambiguous", Type::BOOL, |row| &row.is_ambiguous),
        ("funding", Type::NUMERIC, |row| &row.funding),
        ("shortfall", Type::NUMERIC, |row| &row.shortfall),
        ("part_of", Type::INT4, |row| &row.part_of),
        ("candles_count", Type::INT4, |row| &row.candles_count),
        ("stop_price", Type::NUMERIC, |row| &row.stop_price),
        ("target_price", Type::NUMERIC, |row| &row.target_price),
        ("max_adverse", Type::FLOAT8, |row| &row.max_adverse),
        ("max_favorable", Type::FLOAT8, |row| &row.max_favorable),
        ("created_at", Type::TIMESTAMPTZ, |row| &row.created_at),
    ];

    fn backtest_id(&self) -> Uuid {
        self.backtest_id
    }
}

impl Changes for TradeChanges {
    fn is_empty(&self) -> bool {
        self.opened.is_empty() && self.changed.is_empty()
    }

    fn write<'a>(
        self: Box<Self>,
        transaction: &'a Transaction<'a>,
        table: &'a str,
    ) -> BoxFuture<'a, Result<(), DatabaseError>> {
        async move {
            self.opened.write(transaction, table).await?;
            if self.changed.is_empty() {
                return Ok(());
            }
            let sql = format!(
                "UPDATE read_models.{table} AS trade SET exit_time = changed.exit_time, \
                 exit_price = changed.exit_price, quantity = changed.quantity, pnl = changed.pnl, \
                 pnl_percentage = changed.pnl_percentage, fees = changed.fees, \
                 exit_reason = changed.exit_reason, is_ambiguous = changed.is_ambiguous, \
                 funding = changed.funding, shortfall = changed.shortfall, \
                 candles_count = changed.candles_count, stop_price = changed.stop_price, \
                 target_price = changed.target_price, max_adverse = changed.max_adverse, \
                 max_favorable = changed.max_favorable \
                 FROM json_populate_recordset(NULL::read_models.{table}, $1) AS changed \
                 WHERE trade.backtest_id = changed.backtest_id AND trade.number = changed.number"
            );
            let statement = transaction.prepare_cached(&sql).await?;
            transaction.execute(&statement, &[&Json(&self.changed)]).await?;
            Ok(())
        }
        .boxed()
    }
}

fn create(table: &str) -> String {
    format!(
        "CREATE TABLE read_models.{table} (\
         backtest_id uuid NOT NULL, number integer NOT NULL, id uuid NOT NULL, \
         direction text NOT NULL, entry_time timestamptz NOT NULL, entry_price numeric NOT NULL, \
         exit_time timestamptz, exit_price numeric, quantity numeric NOT NULL, pnl numeric, \
         pnl_percentage numeric, fees numeric NOT NULL, entry_reason text NOT NULL, \
         exit_reason text, is_ambiguous boolean NOT NULL, funding numeric, shortfall numeric, \
         part_of integer, candles_count integer, stop_price numeric, target_price numeric, \
         max_adverse double precision, max_favorable double precision, created_at timestamptz NOT NULL, \
         PRIMARY KEY (backtest_id, number));"
    )
}

fn fold(events: &[&RecordedEvent]) -> Folded {
    let mut changes = TradeChanges { opened: RunRows::new(), changed: Vec::new() };
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
            LedgerEvent::TradeOpened {
                trade_id,
                number,
                direction,
                fill,
                stop_price,
                target_price,
            } => {
                let (number, trade_id, direction) = (*number, *trade_id, *direction);
                let trade = Opening { backtest_id, number, trade_id, direction, entry: fill };
                let (stop_price, target_price) = (*stop_price, *target_price);
                let trade = trade.row(event)?;
                changes.opened.rows.push(NewTrade { stop_price, target_price, ..trade });
            }
            LedgerEvent::TradeClosed(closed) => {
                changes.change(closed_row(event, backtest_id, closed)?);
            }
            LedgerEvent::TradeReduced { part, of_number, rest } => {
                changes.reduce(event, backtest_id, part, *of_number, rest)?;
            }
            LedgerEvent::LedgerRestarted { .. } => changes.clear(backtest_id),
            LedgerEvent::LedgerOpened { .. }
            | LedgerEvent::EquityRecorded(_)
            | LedgerEvent::LedgerClosed { .. } => {}
        }
    }
    Ok(Box::new(changes))
}

impl TradeChanges {
    /// Drops what the run had.
    fn clear(&mut self, backtest_id: Uuid) {
        self.opened.clear(backtest_id);
        self.changed.retain(|trade| trade.backtest_id != backtest_id);
    }

    /// The part becomes a trade, and the trade that it was split from goes on with `rest`.
    fn reduce(
        &mut self,
        event: &RecordedEvent,
        backtest_id: Uuid,
        part: &ClosedTrade,
        of_number: u32,
        rest: &Fill,
    ) -> Result<(), Poison> {
        let (direction, stop_price, target_price) =
            (part.direction, part.stop_price, part.target_price);
        let part_of = Some(integer(of_number)?);
        let part = closed_row(event, backtest_id, part)?;
        self.opened.rows.push(NewTrade { part_of, ..part });
        // Its id does not change.
        let trade_id = TradeId::of(BacktestId::new(backtest_id), of_number);
        let rest = Opening { backtest_id, number: of_number, trade_id, direction, entry: rest };
        self.change(NewTrade { stop_price, target_price, ..rest.row(event)? });
        Ok(())
    }

    /// Changes the trade where it was opened: in this batch (then near its end), or in the table.
    fn change(&mut self, changed: NewTrade) {
        let is_it = |trade: &&mut NewTrade| {
            trade.number == changed.number && trade.backtest_id == changed.backtest_id
        };
        if let Some(open) = self.opened.rows.iter_mut().rev().find(is_it) {
            let created_at = open.created_at;
            *open = NewTrade { created_at, ..changed };
        } else if let Some(before) = self.changed.iter_mut().rev().find(is_it) {
            *before = changed;
        } else {
            self.changed.push(changed);
        }
    }
}

/// A trade as its entry made it.
struct Opening<'a> {
    backtest_id: Uuid,
    number: u32,
    trade_id: TradeId,
    direction: Direction,
    entry: &'a Fill,
}

impl Opening<'_> {
    fn row(self, event: &RecordedEvent) -> Result<NewTrade, Poison> {
        let Self { backtest_id, number, trade_id, direction, entry } = self;
        Ok(NewTrade {
            backtest_id,
            number: integer(number)?,
            id: trade_id.uuid(),
            direction: direction.as_str(),
            entry_time: ledger_rows::time(entry.time)?,
            entry_price: entry.price,
            exit_time: None,
            exit_price: None,
            quantity: entry.quantity,
            pnl: None,
            pnl_percentage: None,
            fees: entry.fee,
            entry_reason: entry.reason.to_string(),
            exit_reason: None,
            is_ambiguous: false,
            funding: None,
            shortfall: None,
            part_of: None,
            candles_count: None,
            stop_price: None,
            target_price: None,
            max_adverse: None,
            max_favorable: None,
            created_at: event.recorded_at,
        })
    }
}

fn closed_row(
    event: &RecordedEvent,
    backtest_id: Uuid,
    trade: &ClosedTrade,
) -> Result<NewTrade, Poison> {
    let ClosedTrade { trade_id, number, direction, ref entry, ref fill, pnl, .. } = *trade;
    let open = Opening { backtest_id, number, trade_id, direction, entry }.row(event)?;
    let fees = open.fees.checked_add(fill.fee);
    let overflow = || Poison::Unfit("the trade's numbers are too large".to_owned());
    Ok(NewTrade {
        exit_time: Some(ledger_rows::time(fill.time)?),
        exit_price: Some(fill.price),
        pnl: Some(pnl),
        pnl_percentage: pnl_percentage(pnl, open.entry_price, open.quantity),
        fees: fees.ok_or_else(overflow)?,
        exit_reason: Some(fill.reason.to_string()),
        is_ambiguous: trade.is_ambiguous,
        funding: Some(trade.funding).filter(|funding| !funding.is_zero()),
        shortfall: trade.shortfall,
        candles_count: trade.candles_count.map(integer).transpose()?,
        stop_price: trade.stop_price,
        target_price: trade.target_price,
        max_adverse: trade.max_adverse,
        max_favorable: trade.max_favorable,
        ..open
    })
}
