//! Decoding events for this process, which remembers what it is too old for.

use domain::{
    aggregates::{DecodeError, EventAhead},
    event::RecordedEvent,
};
use serde::de::DeserializeOwned;

use super::store::EventStore;
use crate::postgres::database::DatabaseError;

impl EventStore {
    /// Returns the event in its current version.
    ///
    /// # Errors
    /// [`DatabaseError::Ahead`] for an event that a newer version of Backtrail wrote, or a payload that is no such event.
    pub fn decode<E: DeserializeOwned>(&self, event: &RecordedEvent) -> Result<E, DatabaseError> {
        event.decode().map_err(|error| match error {
            DecodeError::Ahead(ahead) => {
                self.note_ahead(&ahead);
                ahead.into()
            }
            DecodeError::Payload(error) => {
                let (position, kind) = (event.position, &event.event_type);
                DatabaseError::Corrupt(format!("{kind} at position {position}: {error}"))
            }
        })
    }

    /// The first event that this process met and is too old for; `None` if there was none. Until a newer binary takes its
    /// place, the process reports itself as not ready.
    #[must_use]
    pub fn ahead(&self) -> Option<&EventAhead> {
        self.ahead.get()
    }

    /// Notes that this process is too old for the event, and logs the first of them.
    pub fn note_ahead(&self, ahead: &EventAhead) {
        if self.ahead.set(ahead.clone()).is_ok() {
            tracing::error!(
                position = ahead.position,
                event_type = ahead.event_type,
                event_version = ahead.event_version,
                "this process is too old for an event and must be upgraded: {ahead}"
            );
        }
    }
}
