//! What the log says about a run before an executor touches it.

use cqrs_es::Aggregate;
use domain::{
    backtest::{Backtest, BacktestEvent, LiveBacktest},
    event::{Metadata, RecordedEvent},
    ids::BacktestId,
    ledger::Ledger,
};
use infra::postgres::{DatabaseError, EventStore, event_store::Loaded};

/// Events read at a time.
pub(super) const PAGE: i64 = 1_000;

/// A backtest with what its stream tells beyond the aggregate.
pub(super) struct Standing {
    pub(super) loaded: Loaded<Backtest>,
    /// The request's event id and metadata: what everything of the run follows from.
    pub(super) requested: (String, Metadata),
    /// Position and attempt of each claim.
    claims: Vec<(i64, u32)>,
}

/// How far the ledger of earlier attempts got.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct LedgerStanding {
    /// Sequence of its last entry.
    pub(super) sequence: i64,
    /// Sequence of the last restart, before which nothing counts.
    pub(super) restarted_at: i64,
    /// Position of its last entry.
    pub(super) position: i64,
}

impl Standing {
    /// Reads the backtest's stream.
    pub(super) async fn read(store: &EventStore, id: BacktestId) -> Result<Self, DatabaseError> {
        let id = id.to_string();
        let mut loaded = Loaded { aggregate: Backtest::default(), sequence: 0, position: 0 };
        let mut requested = (String::new(), Metadata::default());
        let mut claims = Vec::new();
        loop {
            let page = store.read_stream(Backtest::TYPE, &id, loaded.sequence, PAGE).await?;
            let is_last = is_last(&page);
            for recorded in page {
                (loaded.sequence, loaded.position) = (recorded.sequence, recorded.position);
                let event: BacktestEvent = store.decode(&recorded)?;
                match &event {
                    BacktestEvent::BacktestRequested { .. } => {
                        let metadata = serde_json::from_str(&recorded.metadata);
                        let metadata = metadata.map_err(|error| corrupt(&recorded, &error))?;
                        requested = (recorded.event_id.to_string(), metadata);
                    }
                    BacktestEvent::BacktestClaimed { attempt, .. } => {
                        claims.push((recorded.position, *attempt));
                    }
                    BacktestEvent::BacktestStarted { .. }
                    | BacktestEvent::BacktestCompleted { .. }
                    | BacktestEvent::BacktestFailed { .. }
                    | BacktestEvent::BacktestCancellationRequested {}
                    | BacktestEvent::BacktestCancelled {}
                    | BacktestEvent::BacktestDeleted {} => {}
                }
                loaded.aggregate.apply(event);
            }
            if is_last {
                return Ok(Self { loaded, requested, claims });
            }
        }
    }

    /// The run, while there is something to do for it.
    pub(super) fn unfinished(&self) -> Option<&LiveBacktest> {
        let live = self.loaded.aggregate.live.as_ref()?;
        live.is_unfinished().then_some(live)
    }

    pub(super) fn was_claimed(&self) -> bool {
        !self.claims.is_empty()
    }

    /// Attempts in a row since the ledger last grew. An attempt that was released has its number again.
    pub(super) fn fruitless_attempts(&self, ledger: LedgerStanding) -> usize {
        let mut attempts: Vec<u32> = self
            .claims
            .iter()
            .filter(|(position, _)| *position > ledger.position)
            .map(|(_, attempt)| *attempt)
            .collect();
        attempts.dedup();
        attempts.len()
    }
}

impl LedgerStanding {
    /// Reads through the ledger of earlier attempts.
    pub(super) async fn read(store: &EventStore, id: BacktestId) -> Result<Self, DatabaseError> {
        let id = id.to_string();
        let mut standing = Self::default();
        loop {
            let page = store.read_stream(Ledger::TYPE, &id, standing.sequence, PAGE).await?;
            let Some(last) = page.last() else { return Ok(standing) };
            (standing.sequence, standing.position) = (last.sequence, last.position);
            let mut newest_first = page.iter().rev();
            if let Some(restart) = newest_first.find(|e| e.event_type == "LedgerRestarted") {
                standing.restarted_at = restart.sequence;
            }
            if is_last(&page) {
                return Ok(standing);
            }
        }
    }
}

/// Whether nothing of the stream comes after this page.
pub(super) fn is_last(page: &[RecordedEvent]) -> bool {
    i64::try_from(page.len()).is_ok_and(|rows| rows < PAGE)
}

pub(super) fn corrupt(recorded: &RecordedEvent, error: &serde_json::Error) -> DatabaseError {
    DatabaseError::Corrupt(format!("event {} cannot be read: {error}", recorded.position))
}
