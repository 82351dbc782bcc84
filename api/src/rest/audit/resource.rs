//! An event as clients see it.

use domain::event::{Metadata, RecordedEvent};
use poem_openapi::Object;
use serde::Serialize;
use serde_json::Value;

use crate::http::{error::ApiError, values::time_text};

/// A recorded event.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "Event")]
pub(crate) struct EventResource {
    /// Position in the global event log.
    position: i64,
    /// A ULID.
    id: String,
    aggregate_type: String,
    aggregate_id: String,
    /// Sequence number within its stream.
    sequence: i64,
    #[serde(rename = "type")]
    #[oai(rename = "type")]
    kind: String,
    version: String,
    payload: Value,
    metadata: EventMetadata,
    recorded_at: String,
}

/// Who caused the event, and through which request.
#[derive(Debug, Serialize, Object)]
pub(crate) struct EventMetadata {
    /// `user:<id>` or `system:<name>`.
    actor: String,
    correlation_id: Option<String>,
    causation_id: Option<String>,
    request_id: Option<String>,
}

impl EventResource {
    /// Returns the resource of an event.
    ///
    /// # Errors
    /// 500 if the log holds what is not JSON.
    pub(crate) fn new(event: RecordedEvent) -> Result<Self, ApiError> {
        let metadata: Metadata =
            serde_json::from_str(&event.metadata).map_err(ApiError::internal)?;
        Ok(Self {
            position: event.position,
            id: event.event_id.to_string(),
            aggregate_type: event.aggregate_type,
            aggregate_id: event.aggregate_id,
            sequence: event.sequence,
            kind: event.event_type,
            version: event.event_version,
            payload: serde_json::from_str(&event.payload).map_err(ApiError::internal)?,
            metadata: EventMetadata {
                actor: metadata.actor,
                correlation_id: metadata.correlation_id,
                causation_id: metadata.causation_id,
                request_id: metadata.request_id,
            },
            recorded_at: time_text(event.recorded_at),
        })
    }
}
