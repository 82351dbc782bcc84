//! Writes a run's ledger: compares with what earlier attempts left, and appends only the rest.

use std::collections::VecDeque;

use cqrs_es::Aggregate;
use domain::{
    event::{Metadata, RecordedEvent},
    ids::BacktestId,
    ledger::{Ledger, LedgerCommand, LedgerEvent},
};
use infra::postgres::{
    EventStore,
    event_store::{Append, NewEvent, Outcome, Priority, StreamAppend, new_event},
};

use super::{
    interruption::Interruption,
    standing::{LedgerStanding, PAGE, is_last},
};
use crate::{CommandError, execute::decide};

/// Of each value in the message about a difference.
const SHOWN_CHARS: usize = 2_000;

/// The ledger of one attempt.
pub(super) struct LedgerAppender {
    store: EventStore,
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

impl LedgerAppender {
    /// Writes the ledger of `id` on from where earlier attempts left it.
    pub(super) fn new(
        store: EventStore,
        id: BacktestId,
        metadata: Metadata,
        standing: LedgerStanding,
    ) -> Self {
        let LedgerStanding { sequence, restarted_at, .. } = standing;
        let has_more = sequence > restarted_at;
        let earlier = Earlier { page: VecDeque::new(), read_to: restarted_at, has_more };
        Self { store, id: id.to_string(), metadata, ledger: Ledger::default(), sequence, earlier }
    }

    /// Records entries that follow those before.
    pub(super) async fn record(&mut self, entries: Vec<LedgerEvent>) -> Result<(), Interruption> {
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
            // Nobody but an executor appends to a ledger: another one has the run.
            Outcome::Conflict | Outcome::Duplicate { .. } | Outcome::Taken { .. } => {
                Err(Interruption::Halted)
            }
        }
    }

    /// The last entries, to be appended together with the run's completion.
    pub(super) async fn close(
        &mut self,
        entries: Vec<LedgerEvent>,
    ) -> Result<StreamAppend, Interruption> {
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
    async fn remaining(&mut self, entries: Vec<LedgerEvent>) -> Result<StreamAppend, Interruption> {
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

    async fn next_earlier(&mut self) -> Result<Option<RecordedEvent>, Interruption> {
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
fn compare(entry: &LedgerEvent, recorded: &RecordedEvent) -> Result<(), Interruption> {
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

fn nondeterministic(message: String) -> Interruption {
    Interruption::Failed { code: "nondeterministic_result", message }
}

fn shown(payload: &str) -> String {
    payload.chars().take(SHOWN_CHARS).collect()
}

fn count(events: &[NewEvent]) -> i64 {
    i64::try_from(events.len()).unwrap_or(i64::MAX)
}
