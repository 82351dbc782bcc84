//! Writes a run's ledger: compares with what earlier attempts left, and appends only the rest.

use std::collections::VecDeque;

use cqrs_es::Aggregate;
use domain::{
    event::{Metadata, RecordedEvent},
    ids::BacktestId,
    ledger::{Ledger, LedgerCommand, LedgerEvent},
};
use infra::postgres::{
    DatabaseError, EventStore,
    event_store::{Append, NewEvent, Outcome, Priority, StreamAppend, new_event},
};

use super::super::{failure::Failure, lease::Lease};
use crate::{error::CommandError, execute::decide};

/// Entries read at a time.
const PAGE: i64 = 1_000;
/// Of each value in the message about a difference.
const SHOWN_CHARS: usize = 2_000;

/// How far the ledger of earlier attempts got.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct LedgerProgress {
    /// Sequence of its last entry.
    pub(super) sequence: i64,
    /// Sequence of the last restart, before which nothing counts.
    pub(super) restarted_at: i64,
    /// Position of its last entry.
    pub(super) position: i64,
}

/// The ledger of one attempt.
pub(super) struct LedgerAppender {
    store: EventStore,
    lease: Lease,
    id: String,
    metadata: Metadata,
    ledger: Ledger,
    /// Of the stream's last entry.
    sequence: i64,
    earlier: Earlier,
}

/// What earlier attempts left, page by page.
struct Earlier {
    page: VecDeque<RecordedEvent>,
    /// Sequence of the last entry that was read.
    read_to: i64,
    has_more: bool,
}

impl LedgerProgress {
    /// Reads through the ledger of earlier attempts.
    pub(super) async fn read(store: &EventStore, id: BacktestId) -> Result<Self, DatabaseError> {
        let id = id.to_string();
        let mut progress = Self::default();
        loop {
            let page = store.read_stream(Ledger::TYPE, &id, progress.sequence, PAGE).await?;
            let Some(last) = page.last() else { return Ok(progress) };
            (progress.sequence, progress.position) = (last.sequence, last.position);
            let mut newest_first = page.iter().rev();
            if let Some(restart) = newest_first.find(|e| e.event_type == "LedgerRestarted") {
                progress.restarted_at = restart.sequence;
            }
            if is_last(&page) {
                return Ok(progress);
            }
        }
    }
}

impl LedgerAppender {
    /// Continues the ledger of the leased run from where earlier attempts left it.
    pub(super) fn new(
        store: EventStore,
        lease: Lease,
        metadata: Metadata,
        progress: LedgerProgress,
    ) -> Self {
        let LedgerProgress { sequence, restarted_at, .. } = progress;
        let has_more = sequence > restarted_at;
        let earlier = Earlier { page: VecDeque::new(), read_to: restarted_at, has_more };
        let (id, ledger) = (lease.job.id.to_string(), Ledger::default());
        Self { store, lease, id, metadata, ledger, sequence, earlier }
    }

    /// Records entries that follow those before.
    pub(super) async fn record(&mut self, entries: Vec<LedgerEvent>) -> Result<(), Failure> {
        let stream = self.remaining(entries).await?;
        if stream.events.is_empty() {
            return Ok(());
        }
        let appended = stream.expected_sequence + count(&stream.events);
        let append = Append {
            streams: vec![stream],
            metadata: self.metadata.clone(),
            command: None,
            reservations: Vec::new(),
            priority: Priority::Ledger,
        };
        match self.store.append(append).await.map_err(CommandError::from)? {
            Outcome::Appended { .. } => {
                self.sequence = appended;
                Ok(())
            }
            // Only executors append to a ledger: another one has the run.
            Outcome::Conflict | Outcome::Duplicate { .. } | Outcome::Taken { .. } => {
                Err(self.lease.overtaken())
            }
        }
    }

    /// The last entries, to be appended together with the run's completion.
    pub(super) async fn close(
        &mut self,
        entries: Vec<LedgerEvent>,
    ) -> Result<StreamAppend, Failure> {
        let stream = self.remaining(entries).await?;
        if let Some(more) = self.next_earlier().await? {
            let message = format!(
                "entry {} of the ledger was {}, and does not come this time",
                more.sequence,
                shown(&more.payload)
            );
            return Err(nondeterministic(message));
        }
        Ok(stream)
    }

    /// Those of the entries that no earlier attempt recorded.
    async fn remaining(&mut self, entries: Vec<LedgerEvent>) -> Result<StreamAppend, Failure> {
        let mut new = Vec::new();
        for entry in entries {
            match self.next_earlier().await? {
                Some(recorded) => {
                    compare(&entry, &recorded)?;
                    self.ledger.apply(entry);
                }
                None => new.push(entry),
            }
        }
        let command = LedgerCommand::Record(new);
        let (after, stream) = decide(self.ledger.clone(), self.sequence, &self.id, command).await?;
        self.ledger = after;
        Ok(stream)
    }

    async fn next_earlier(&mut self) -> Result<Option<RecordedEvent>, Failure> {
        let earlier = &mut self.earlier;
        if earlier.page.is_empty() && earlier.has_more {
            let page = self.store.read_stream(Ledger::TYPE, &self.id, earlier.read_to, PAGE);
            let page = page.await.map_err(CommandError::from)?;
            earlier.has_more = !is_last(&page);
            earlier.read_to = page.last().map_or(earlier.read_to, |last| last.sequence);
            earlier.page = page.into();
        }
        Ok(earlier.page.pop_front())
    }
}

/// Same engine, same dataset: the bytes must be the same.
fn compare(entry: &LedgerEvent, recorded: &RecordedEvent) -> Result<(), Failure> {
    let NewEvent { event_type, payload, .. } =
        new_event(entry).map_err(|error| CommandError::Internal(error.to_string()))?;
    if (&event_type, &payload) == (&recorded.event_type, &recorded.payload) {
        return Ok(());
    }
    let message = format!(
        "entry {} of the ledger was {}, and is {} this time",
        recorded.sequence,
        shown(&recorded.payload),
        shown(&payload)
    );
    Err(nondeterministic(message))
}

fn nondeterministic(message: String) -> Failure {
    Failure::Rejected { code: "nondeterministic_result", message }
}

/// Whether nothing of the stream comes after this page.
fn is_last(page: &[RecordedEvent]) -> bool {
    i64::try_from(page.len()).is_ok_and(|rows| rows < PAGE)
}

fn shown(payload: &str) -> String {
    payload.chars().take(SHOWN_CHARS).collect()
}

fn count(events: &[NewEvent]) -> i64 {
    i64::try_from(events.len()).unwrap_or(i64::MAX)
}
