//! A recorded event as every consumer sees it: position, stream, payload, metadata, time.

use std::{
    any::Any,
    fmt,
    sync::{Arc, OnceLock},
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use ulid::Ulid;

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
    pub decoded: Decoded,
}

/// The event as it was decoded, for all who share the recorded one; nothing before anybody wanted it, or if it cannot be decoded.
#[derive(Clone, Default)]
pub struct Decoded(pub(crate) OnceLock<Option<Arc<dyn Any + Send + Sync>>>);

/// It follows from the rest of the event.
impl PartialEq for Decoded {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Debug for Decoded {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.0.get().is_some() { "Decoded" } else { "Encoded" })
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

/// Names the events of an enum with their current versions: implements `DomainEvent`, and lists them as `VERSIONS` for
/// readers, who must not decode what is newer.
macro_rules! event_versions {
    ($events:ident { $($name:ident => $version:literal,)+ }) => {
        impl $events {
            /// Every event type with its current version.
            pub const VERSIONS: &[(&str, &str)] = &[$((stringify!($name), $version)),+];
        }

        impl cqrs_es::DomainEvent for $events {
            fn event_type(&self) -> String {
                match self {
                    $(Self::$name { .. } => stringify!($name),)+
                }
                .to_owned()
            }

            fn event_version(&self) -> String {
                match self {
                    $(Self::$name { .. } => $version,)+
                }
                .to_owned()
            }
        }
    };
}
pub(crate) use event_versions;
