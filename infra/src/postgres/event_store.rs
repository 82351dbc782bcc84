//! The event store: one log, appended by `append_events` through one queue a process, read by position.

use cqrs_es::Aggregate;
use domain::{
    event::{Metadata, RecordedEvent},
    ids::UserId,
};
use tokio::sync::watch;

use super::database::{Database, DatabaseError};

/// The log; clones share one append queue.
#[derive(Clone)]
pub struct EventStore {
    database: Database,
}

/// One all-or-nothing append to one or more streams.
#[derive(Debug, Clone)]
pub struct Append {
    pub streams: Vec<StreamAppend>,
    pub metadata: Metadata,
    /// De-duplicates the command; a fresh one is made where none is given.
    pub command: Option<CommandKey>,
    /// Names taken and released with it.
    pub reservations: Vec<Reservation>,
    pub priority: Priority,
}

/// New events for one stream.
#[derive(Debug, Clone)]
pub struct StreamAppend {
    pub aggregate_type: &'static str,
    pub aggregate_id: String,
    /// Sequence of the stream's last event; 0 for a new stream.
    pub expected_sequence: i64,
    pub events: Vec<NewEvent>,
}

/// An event that has no position yet.
#[derive(Debug, Clone)]
pub struct NewEvent {
    pub event_type: String,
    pub event_version: String,
    /// JSON text.
    pub payload: String,
}

/// What makes a command the same command when it is sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandKey {
    pub owner_id: UserId,
    /// `POST /strategies`
    pub route: String,
    /// The client's `Idempotency-Key`.
    pub key: String,
    /// SHA-256 of the body.
    pub body_hash: Vec<u8>,
    /// The aggregate that the command is about: what a repeat is answered with.
    pub aggregate_id: String,
}

/// A unique name, taken or released by the append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// `strategy_slug`
    pub kind: &'static str,
    pub owner_id: UserId,
    pub name: String,
    /// The aggregate that it names; see [`EventStore::reserved`].
    pub aggregate_id: String,
    pub action: ReservationAction,
}

/// What happens to the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReservationAction {
    Take,
    Release,
}

/// Who goes first in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    Interactive,
    Ledger,
}

/// What became of an append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Positions of its first and last event.
    Appended { first_position: i64, last_position: i64 },
    /// The command was done before.
    Duplicate { position: i64, aggregate_id: String, body_hash: Vec<u8> },
    /// A stream is not where it was expected: load and decide again.
    Conflict,
    /// A name belongs to someone: decide again.
    Taken { kind: String, name: String },
}

/// An aggregate as its stream left it.
#[derive(Debug, Clone)]
pub struct Loaded<A> {
    pub aggregate: A,
    /// Sequence of its last event; 0 when there is none.
    pub sequence: i64,
    /// Position of its last event; 0 when there is none.
    pub position: i64,
}

impl EventStore {
    /// Starts the append queue over `database`; it ends when the last clone is dropped.
    #[must_use]
    pub fn start(database: Database) -> Self {
        Self { database }
    }

    /// The pool underneath.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Appends through the queue. After a lost connection it sends the call again under the same command key.
    ///
    /// # Errors
    /// The database, when it stays away or refuses.
    pub async fn append(&self, _append: Append) -> Result<Outcome, DatabaseError> {
        todo!()
    }

    /// The aggregate folded from its (upcast) stream.
    ///
    /// # Errors
    /// The database, or an event that cannot be decoded.
    pub async fn load<A: Aggregate>(
        &self,
        _aggregate_id: &str,
    ) -> Result<Loaded<A>, DatabaseError> {
        todo!()
    }

    /// What a command with this key was answered with, if it was done.
    ///
    /// # Errors
    /// The database.
    pub async fn find_command(
        &self,
        _owner_id: UserId,
        _route: &str,
        _key: &str,
    ) -> Result<Option<Outcome>, DatabaseError> {
        todo!()
    }

    /// The aggregate that holds a reserved name.
    ///
    /// # Errors
    /// The database.
    pub async fn reserved(
        &self,
        _kind: &str,
        _owner_id: UserId,
        _name: &str,
    ) -> Result<Option<String>, DatabaseError> {
        todo!()
    }

    /// Events after `position`, in order.
    ///
    /// # Errors
    /// The database.
    pub async fn read_after(
        &self,
        _position: i64,
        _limit: i64,
    ) -> Result<Vec<RecordedEvent>, DatabaseError> {
        todo!()
    }

    /// Events of one stream after `sequence`, in order.
    ///
    /// # Errors
    /// The database.
    pub async fn read_stream(
        &self,
        _aggregate_type: &str,
        _aggregate_id: &str,
        _after_sequence: i64,
        _limit: i64,
    ) -> Result<Vec<RecordedEvent>, DatabaseError> {
        todo!()
    }

    /// Position of the last event; 0 when there is none.
    ///
    /// # Errors
    /// The database.
    pub async fn head(&self) -> Result<i64, DatabaseError> {
        todo!()
    }

    /// Changes whenever this or another process appended (coalesced; a hint, polling is the truth).
    #[must_use]
    pub fn wakeups(&self) -> watch::Receiver<u64> {
        todo!()
    }
}

/// An event as the append wants it.
///
/// # Errors
/// The JSON error of an event that cannot be written.
pub fn new_event<E: cqrs_es::DomainEvent>(event: &E) -> Result<NewEvent, serde_json::Error> {
    Ok(NewEvent {
        event_type: event.event_type(),
        event_version: event.event_version(),
        payload: serde_json::to_string(event)?,
    })
}
