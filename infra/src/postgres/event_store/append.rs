//! An append to the log, and its possible outcomes.

use domain::{event::Metadata, ids::UserId};

/// One all-or-nothing append to one or more streams.
#[derive(Debug, Clone)]
pub struct Append {
    /// In the order of their events; a stream may go on in a later element.
    pub streams: Vec<StreamAppend>,
    pub metadata: Metadata,
    /// De-duplicates the command; without one a new key is made.
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
    /// Sequence of the stream's last event when it was loaded; 0 for a new stream.
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

/// Identifies a command that is sent again, for 24 hours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandKey {
    pub owner_id: UserId,
    /// `POST /strategies`
    pub route: String,
    /// The client's `Idempotency-Key`.
    pub key: String,
    /// SHA-256 of the body.
    pub body_hash: Vec<u8>,
    /// The aggregate that the command is about, which a repeat returns. A creation makes a new id for each attempt, so
    /// concurrent attempts at the same command differ here.
    pub aggregate_id: String,
}

/// A unique name, taken or released by the append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// `strategy_slug`
    pub kind: &'static str,
    pub owner_id: UserId,
    pub name: String,
    /// What holds the name while it is taken.
    pub aggregate_id: String,
    pub action: ReservationAction,
}

/// What happens to the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReservationAction {
    Take,
    Release,
}

/// Which appends go first in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    Interactive,
    Ledger,
}

/// The outcome of an append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Positions of its first and last event; of an append without events, the last is the one before it.
    Appended { first_position: i64, last_position: i64 },
    /// The command was done before; its last event has this position.
    Duplicate { position: i64, aggregate_id: String, body_hash: Vec<u8> },
    /// A stream is not where it was expected: load and decide again.
    Conflict,
    /// A name belongs to someone: decide again.
    Taken { kind: String, name: String },
}

impl Append {
    /// Returns the number of events in all streams.
    #[must_use]
    pub fn events_count(&self) -> usize {
        self.streams.iter().map(|stream| stream.events.len()).sum()
    }
}

/// Converts an event for an append.
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
