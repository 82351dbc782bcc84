//! Read model: a run's equity, one row per event that recorded some of it.

use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use domain::{event::RecordedEvent, ledger::LedgerEvent};
use futures_util::{FutureExt, future::BoxFuture};
use infra::postgres::DatabaseError;
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::{
    ReadModels,
    models::{
        backtests::BacktestRow,
        ledger_rows::{self, RunEvent, RunRow, RunRows},
    },
    read_model::{Changes, Folded, ReadModel, aggregate_id},
    sql::{bulk::CopyColumn, page::QueryError},
};

/// Its permanent name.
pub const NAME: &str = "equity_curves";
const TABLE: &str = "equity_curves_v2";

pub(crate) const READ_MODEL: ReadModel =
    ReadModel { name: NAME, table: TABLE, aggregates: ledger_rows::AGGREGATES, create, fold };

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
            "SELECT times, equities FROM read_models.{TABLE} WHERE backtest_id = $1 ORDER BY sequence"
        );
        let statement = client.prepare_cached(&sql).await?;
        let mut curve = Vec::new();
        for row in client.query(&statement, &[&backtest.id.uuid()]).await? {
            let times: Vec<DateTime<Utc>> = row.try_get("times")?;
            let equities: Vec<f64> = row.try_get("equities")?;
            let points = times.into_iter().zip(equities);
            curve.extend(points.map(|(time, equity)| EquityRow { time, equity }));
        }
        Ok(curve)
    }
}

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
