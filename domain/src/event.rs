//! A recorded event as every consumer sees it: position, stream, payload, metadata, time.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use ulid::Ulid;

use crate::upcasting;

/// One row of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedEvent {
    /// Place in the whole log, dense from 1.
    pub position: i64,
    /// Shown as a ULID, stored as its 128 bits.
    pub event_id: Ulid,
    /// `strategy`, `backtest`, `ledger`.
    pub aggregate_type: String,
    /// The aggregate's id, a UUID in text.
    pub aggregate_id: String,
    /// Place in its stream, from 1.
    pub sequence: i64,
    /// `StrategyCreated`, …
    pub event_type: String,
    /// `1.0`, …
    pub event_version: String,
    /// The JSON text exactly as stored, `{"type": "StrategyCreated", …}`.
    pub payload: String,
    /// The JSON text exactly as stored; see [`Metadata`].
    pub metadata: String,
    /// When it was appended, UTC, microseconds; never decreases with the position.
    pub recorded_at: DateTime<Utc>,
}

impl RecordedEvent {
    /// The payload as an event of the current version: older ones are upcast.
    ///
    /// # Errors
    /// The JSON error when the payload is not one.
    pub fn decode<E: DeserializeOwned>(&self) -> Result<E, serde_json::Error> {
        upcasting::decode(self, upcasting::upcasters(&self.aggregate_type))
    }
}

/// Who caused an event and by which request. Flat strings, so that `postgres-es` can read it as its map.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Metadata {
    /// `user:<id>` or `system:<name>`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub actor: String,
    /// Everything that follows from one request shares it (ULID).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// The event that made the writer act (ULID).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<String>,
    /// The HTTP request (`X-Request-Id`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// W3C trace context.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// The executor and attempt that appended a ledger event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executor: Option<String>,
    /// The attempt, from 1, as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<String>,
}
