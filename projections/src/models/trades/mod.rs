//! Read model: one row per round trip.

use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use domain::{
    event::RecordedEvent,
    ids::{BacktestId, TradeId},
    ledger::LedgerEvent,
    simulation::{Direction, Fill, trade::pnl_percentage},
};
use futures_util::{FutureExt, future::BoxFuture};
use infra::postgres::DatabaseError;
use rust_decimal::Decimal;
use serde::Serialize;
use tokio_postgres::{
    Row,
    types::{Json, Type},
};
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
pub const NAME: &str = "trades";
const TABLE: &str = "trades_v3";

pub(crate) const READ_MODEL: ReadModel =
    ReadModel { name: NAME, table: TABLE, aggregates: ledger_rows::AGGREGATES, create, fold };

/// A round trip, or its open half: `exit_*` and `pnl*` are none while it is open.
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
    /// Received above 0, paid below, and not in `pnl`; none where there was none.
    pub funding: Option<Decimal>,
    /// The number of the trade of which this is a part that was closed on its own.
    pub part_of: Option<u32>,
    /// When its entry was recorded.
    pub created_at: DateTime<Utc>,
}

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
            select.compare("direction =", direction_name(direction));
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

const fn direction_name(direction: Direction) -> &'static str {
    match direction {
        Direction::Long => "long",
        Direction::Short => "short",
    }
}

fn read(row: &Row) -> Result<TradeRow, DatabaseError> {
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
        part_of: row::optional_count(row, "part_of")?,
        created_at: row.try_get("created_at")?,
    })
}

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
    part_of: Option<i32>,
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
        ("part_of", Type::INT4, |row| &row.part_of),
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
                 funding = changed.funding \
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
         exit_reason text, is_ambiguous boolean NOT NULL, funding numeric, part_of integer, \
         created_at timestamptz NOT NULL, \
         PRIMARY KEY (backtest_id, number));"
    )
}

fn fold(events: &[&RecordedEvent]) -> Folded {
    let mut changes = TradeChanges { opened: RunRows::new(), changed: Vec::new() };
    for event in events {
        let backtest_id = aggregate_id(event)?;
        match RunEvent::decode(event)? {
            RunEvent::Ledger(LedgerEvent::TradeOpened { trade_id, number, direction, fill }) => {
                let created_at = event.recorded_at;
                let trade = opened(backtest_id, number, trade_id, direction, fill, created_at)?;
                changes.opened.rows.push(trade);
            }
            RunEvent::Ledger(LedgerEvent::TradeClosed {
                trade_id,
                number,
                direction,
                entry,
                fill,
                pnl,
                funding,
                is_ambiguous,
            }) => {
                let created_at = event.recorded_at;
                let trade = opened(backtest_id, number, trade_id, direction, entry, created_at)?;
                changes.change(closed(trade, fill, pnl, funding, is_ambiguous)?);
            }
            RunEvent::Ledger(LedgerEvent::TradeReduced {
                trade_id,
                number,
                of_number,
                direction,
                entry,
                fill,
                rest,
                pnl,
                funding,
                is_ambiguous,
            }) => {
                let created_at = event.recorded_at;
                let part = opened(backtest_id, number, trade_id, direction, entry, created_at)?;
                let part = closed(part, fill, pnl, funding, is_ambiguous)?;
                let part_of = Some(integer(of_number)?);
                changes.opened.rows.push(NewTrade { part_of, ..part });
                // Its id does not change.
                let of_id = TradeId::of(BacktestId::new(backtest_id), of_number);
                let rest = opened(backtest_id, of_number, of_id, direction, rest, created_at)?;
                changes.change(rest);
            }
            RunEvent::Ledger(LedgerEvent::LedgerRestarted { .. }) | RunEvent::Deleted => {
                changes.opened.clear(backtest_id);
                changes.changed.retain(|trade| trade.backtest_id != backtest_id);
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

impl TradeChanges {
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

fn opened(
    backtest_id: Uuid,
    number: u32,
    trade_id: TradeId,
    direction: Direction,
    entry: Fill,
    created_at: DateTime<Utc>,
) -> Result<NewTrade, Poison> {
    Ok(NewTrade {
        backtest_id,
        number: integer(number)?,
        id: trade_id.uuid(),
        direction: direction_name(direction),
        entry_time: ledger_rows::time(entry.time)?,
        entry_price: entry.price,
        exit_time: None,
        exit_price: None,
        quantity: entry.quantity,
        pnl: None,
        pnl_percentage: None,
        fees: entry.fee,
        entry_reason: entry.reason,
        exit_reason: None,
        is_ambiguous: false,
        funding: None,
        part_of: None,
        created_at,
    })
}

fn closed(
    open: NewTrade,
    exit: Fill,
    pnl: Decimal,
    funding: Decimal,
    is_ambiguous: bool,
) -> Result<NewTrade, Poison> {
    let fees = open.fees.checked_add(exit.fee);
    let overflow = || Poison::Unfit("the trade's numbers are too large".to_owned());
    Ok(NewTrade {
        exit_time: Some(ledger_rows::time(exit.time)?),
        exit_price: Some(exit.price),
        pnl: Some(pnl),
        pnl_percentage: pnl_percentage(pnl, open.entry_price, open.quantity),
        fees: fees.ok_or_else(overflow)?,
        exit_reason: Some(exit.reason),
        is_ambiguous,
        funding: Some(funding).filter(|funding| !funding.is_zero()),
        ..open
    })
}
