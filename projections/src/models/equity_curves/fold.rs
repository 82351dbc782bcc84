//! Turns recorded equity into rows.

use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use domain::{event::RecordedEvent, ledger::LedgerEvent};
use futures_util::{FutureExt, future::BoxFuture};
use infra::postgres::DatabaseError;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::{NAME, TABLE};
use crate::{
    models::ledger_rows::{self, RunEvent, RunRow, RunRows},
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

/// A row to be written: up to 250 points, for a row of each would cost more than all else that a run writes.
struct NewPoints {
    backtest_id: Uuid,
    /// Of the event, in the run's ledger.
    sequence: i64,
    times: Vec<DateTime<Utc>>,
    equities: Vec<f64>,
}

impl RunRow for NewPoints {
    const COLUMNS: &'static [CopyColumn<Self>] = &[
        ("backtest_id", Type::UUID, |row| &row.backtest_id),
        ("sequence", Type::INT8, |row| &row.sequence),
        ("times", Type::TIMESTAMPTZ_ARRAY, |row| &row.times),
        ("equities", Type::FLOAT8_ARRAY, |row| &row.equities),
    ];

    fn backtest_id(&self) -> Uuid {
        self.backtest_id
    }
}

impl Changes for RunRows<NewPoints> {
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
        "CREATE TABLE read_models.{table} (backtest_id uuid NOT NULL, sequence bigint NOT NULL, \
         times timestamptz[] NOT NULL, equities double precision[] NOT NULL, \
         PRIMARY KEY (backtest_id, sequence));"
    )
}

fn fold(events: &[&RecordedEvent]) -> Folded {
    let mut changes = RunRows::new();
    for event in events {
        let backtest_id = aggregate_id(event)?;
        match RunEvent::decode_with_equity(event)? {
            RunEvent::Ledger(LedgerEvent::EquityRecorded { points }) => {
                let times = points.iter().map(|point| ledger_rows::time(point.time));
                changes.rows.push(NewPoints {
                    backtest_id,
                    sequence: event.sequence,
                    times: times.collect::<Result<_, _>>()?,
                    equities: points.iter().map(|point| point.equity).collect(),
                });
            }
            RunEvent::Ledger(LedgerEvent::LedgerRestarted { .. }) | RunEvent::Deleted => {
                changes.clear(backtest_id);
            }
            RunEvent::Ledger(
                LedgerEvent::LedgerOpened { .. }
                | LedgerEvent::TradeOpened { .. }
                | LedgerEvent::TradeClosed { .. }
                | LedgerEvent::TradeReduced { .. }
                | LedgerEvent::LedgerClosed { .. },
            )
            | RunEvent::Lifecycle
            | RunEvent::Equity => {}
        }
    }
    Ok(Box::new(changes))
}
