//! Read model: one row per point of a run's equity.

use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use domain::{event::RecordedEvent, ledger::LedgerEvent};
use futures_util::{FutureExt, future::BoxFuture};
use infra::postgres::DatabaseError;
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::{
    ReadModels,
    backtests::BacktestRow,
    bulk::CopyColumn,
    page::QueryError,
    read_model::{Changes, Folded, ReadModel, aggregate_id},
    run_rows::{self, RunEvent, RunRow, RunRows},
};

/// Its permanent name.
pub const NAME: &str = "equity_curves";
const TABLE: &str = "equity_curves_v1";

pub(crate) const READ_MODEL: ReadModel =
    ReadModel { name: NAME, table: TABLE, aggregates: run_rows::AGGREGATES, create, fold };

/// The last equity of a UTC day (or of every few days in runs over 4,096 days).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EquityRow {
    pub time: DateTime<Utc>,
    /// Quote money.
    pub equity: f64,
}

impl ReadModels {
    /// A run's equity in order of time, at most about 4,096 points; waits until all that `backtest`
    /// knows of are there.
    ///
    /// # Errors
    /// A read model that is behind, or the database.
    pub async fn equity_curve(&self, backtest: &BacktestRow) -> Result<Vec<EquityRow>, QueryError> {
        self.wait_to_read(NAME, backtest.position).await?;
        let client = self.database.get().await?;
        let sql = format!(
            "SELECT time, equity FROM read_models.{TABLE} WHERE backtest_id = $1 ORDER BY time"
        );
        let statement = client.prepare_cached(&sql).await?;
        let found = client.query(&statement, &[&backtest.id.uuid()]).await?;
        let read = |row: &tokio_postgres::Row| {
            Ok(EquityRow { time: row.try_get("time")?, equity: row.try_get("equity")? })
        };
        found.iter().map(read).collect()
    }
}

/// A row to be written.
struct NewPoint {
    backtest_id: Uuid,
    time: DateTime<Utc>,
    equity: f64,
}

impl RunRow for NewPoint {
    const COLUMNS: &'static [CopyColumn<Self>] = &[
        ("backtest_id", Type::UUID, |row| &row.backtest_id),
        ("time", Type::TIMESTAMPTZ, |row| &row.time),
        ("equity", Type::FLOAT8, |row| &row.equity),
    ];

    fn backtest_id(&self) -> Uuid {
        self.backtest_id
    }
}

impl Changes for RunRows<NewPoint> {
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
        "CREATE TABLE read_models.{table} (backtest_id uuid NOT NULL, time timestamptz NOT NULL, \
         equity double precision NOT NULL, PRIMARY KEY (backtest_id, time));"
    )
}

fn fold(events: &[&RecordedEvent]) -> Folded {
    let mut changes = RunRows::new();
    for event in events {
        let backtest_id = aggregate_id(event)?;
        match RunEvent::decode(event)? {
            RunEvent::Ledger(LedgerEvent::EquityRecorded { points }) => {
                for point in points {
                    let time = run_rows::time(point.time)?;
                    changes.rows.push(NewPoint { backtest_id, time, equity: point.equity });
                }
            }
            RunEvent::Ledger(LedgerEvent::LedgerRestarted { .. }) | RunEvent::Deleted => {
                changes.clear(backtest_id);
            }
            RunEvent::Ledger(
                LedgerEvent::LedgerOpened { .. }
                | LedgerEvent::TradeOpened { .. }
                | LedgerEvent::TradeClosed { .. }
                | LedgerEvent::LedgerClosed { .. },
            )
            | RunEvent::Lifecycle => {}
        }
    }
    Ok(Box::new(changes))
}
