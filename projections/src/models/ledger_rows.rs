//! What the read models of ledgers share: rows that belong to a run, arrive in order, and go with the run.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use domain::{backtest::BacktestEvent, event::RecordedEvent, ledger::LedgerEvent};
use infra::postgres::DatabaseError;
use uuid::Uuid;

use crate::{
    error::Poison,
    read_model::unexpected,
    sql::bulk::{self, CopyColumn},
};

/// The streams from which they are folded; a ledger has the id of its backtest.
pub(crate) const AGGREGATES: &[&str] = &["ledger", "backtest"];

/// A row that belongs to a run.
pub(crate) trait RunRow: Sync + Sized + 'static {
    const COLUMNS: &'static [CopyColumn<Self>];

    fn backtest_id(&self) -> Uuid;
}

/// New rows, and the runs whose earlier rows are void.
pub(crate) struct RunRows<T> {
    cleared: Vec<Uuid>,
    pub(crate) rows: Vec<T>,
}

/// What an event means to the rows of a run.
pub(crate) enum RunEvent {
    Ledger(Arc<LedgerEvent>),
    /// The run was deleted.
    Deleted,
    /// Nothing.
    Lifecycle,
    /// Equity, which no read model wants.
    Equity,
}

impl RunEvent {
    /// Equity is left undecoded: it is the larger part of a ledger's bytes.
    pub(crate) fn decode(event: &RecordedEvent) -> Result<Self, Poison> {
        if event.event_type == LedgerEvent::EQUITY_RECORDED {
            return Ok(Self::Equity);
        }
        match event.aggregate_type.as_str() {
            "ledger" => Ok(Self::Ledger(event.decode_shared()?)),
            "backtest" => Ok(match &*event.decode_shared()? {
                BacktestEvent::BacktestDeleted {} => Self::Deleted,
                BacktestEvent::BacktestRequested { .. }
                | BacktestEvent::BacktestClaimed { .. }
                | BacktestEvent::BacktestStarted { .. }
                | BacktestEvent::BacktestCompleted { .. }
                | BacktestEvent::BacktestFailed { .. }
                | BacktestEvent::BacktestCancellationRequested {}
                | BacktestEvent::BacktestCancelled {} => Self::Lifecycle,
            }),
            _ => Err(unexpected(event)),
        }
    }
}

impl<T: RunRow> RunRows<T> {
    pub(crate) const fn new() -> Self {
        Self { cleared: Vec::new(), rows: Vec::new() }
    }

    /// Drops what the run had, stored or not.
    pub(crate) fn clear(&mut self, backtest_id: Uuid) {
        self.rows.retain(|row| row.backtest_id() != backtest_id);
        self.cleared.push(backtest_id);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.cleared.is_empty() && self.rows.is_empty()
    }

    pub(crate) async fn write(
        &self,
        transaction: &Transaction<'_>,
        table: &str,
    ) -> Result<(), DatabaseError> {
        bulk::delete(transaction, table, "backtest_id", &self.cleared).await?;
        bulk::copy(transaction, table, T::COLUMNS, &self.rows).await
    }
}

/// Epoch milliseconds as a time.
pub(crate) fn time(epoch_ms: i64) -> Result<DateTime<Utc>, Poison> {
    DateTime::from_timestamp_millis(epoch_ms)
        .ok_or_else(|| Poison::Unfit(format!("{epoch_ms} ms is no time")))
}

/// A count as Postgres's `integer`.
pub(crate) fn integer(count: u32) -> Result<i32, Poison> {
    i32::try_from(count).map_err(|_| Poison::Unfit(format!("{count} is too large")))
}
