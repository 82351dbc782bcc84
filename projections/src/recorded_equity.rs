//! The equity that a run records at the end of its ledger.

use chrono::NaiveDate;
use deadpool_postgres::Transaction;
use domain::{
    event::RecordedEvent,
    ids::BacktestId,
    ledger::{DailyEquity, LedgerEvent},
};
use infra::postgres::{DatabaseError, event_store::read_stream_back};

/// The type of the streams that are read.
pub(crate) const LEDGER: &str = "ledger";
/// Entries of a ledger's end that are read at a time.
pub(crate) const PAGE_OF_END: i64 = 8;

/// The equity of a ledger's end, which is read backward, page by page.
pub(crate) struct RecordedEquity {
    /// From the last.
    parts: Vec<DailyEquity>,
    /// Of the entries that were read, the lowest sequence; the next page comes before it.
    pub(crate) before: i64,
    /// Sequence of the ledger's last entry.
    pub(crate) sequence: i64,
}

impl RecordedEquity {
    pub(crate) const fn new() -> Self {
        Self { parts: Vec::new(), before: i64::MAX, sequence: 0 }
    }

    /// Takes in a page, the last entry first; returns whether equity may begin before it.
    pub(crate) fn take(
        &mut self,
        page: &[RecordedEvent],
        decode: impl Fn(&RecordedEvent) -> Result<LedgerEvent, DatabaseError>,
    ) -> Result<bool, DatabaseError> {
        for event in page {
            self.before = event.sequence;
            self.sequence = self.sequence.max(event.sequence);
            let is_other = ![LedgerEvent::EQUITY_RECORDED, LedgerEvent::LEDGER_CLOSED]
                .contains(&event.event_type.as_str());
            if is_other {
                return Ok(false);
            }
            if let LedgerEvent::EquityRecorded(part) = decode(event)? {
                self.parts.push(part);
            }
        }
        Ok(!page.is_empty())
    }

    /// Each recorded day with its equity, in order.
    pub(crate) fn days(&self) -> Vec<(NaiveDate, f64)> {
        self.parts.iter().rev().flat_map(DailyEquity::days).collect()
    }
}

/// The equity of a run that has ended, day by day, as a transaction sees the log.
pub(crate) async fn in_transaction(
    transaction: &Transaction<'_>,
    id: BacktestId,
) -> Result<Vec<f64>, DatabaseError> {
    let id = id.to_string();
    let decode = |event: &RecordedEvent| {
        event.decode().map_err(|error| DatabaseError::Corrupt(error.to_string()))
    };
    let mut recorded = RecordedEquity::new();
    loop {
        let page = read_stream_back(transaction, LEDGER, &id, recorded.before, PAGE_OF_END).await?;
        if !recorded.take(&page, decode)? {
            return Ok(recorded.days().into_iter().map(|(_, equity)| equity).collect());
        }
    }
}
