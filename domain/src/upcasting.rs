//! Old events become events of the current version when they are read, one version step at a time.

use chrono::{DateTime, SecondsFormat};
use cqrs_es::persist::{EventUpcaster, SemanticVersionEventUpcaster, SerializedEvent};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::event::RecordedEvent;

/// The upcasters of one aggregate, in the order in which they are tried: older versions first.
pub type Upcasters = Vec<Box<dyn EventUpcaster>>;

/// Returns the payload of `event` as an event of the current version, by way of these upcasters.
///
/// # Errors
/// The JSON error if the payload is not such an event.
pub fn decode<E: DeserializeOwned>(
    event: &RecordedEvent,
    upcasters: &[Box<dyn EventUpcaster>],
) -> Result<E, serde_json::Error> {
    let (kind, version) = (&event.event_type, &event.event_version);
    // Current events are all but a few: they are read straight from their text.
    if !upcasters.iter().any(|upcaster| upcaster.can_upcast(kind, version)) {
        return serde_json::from_str(&event.payload);
    }
    let serialized = SerializedEvent::new(
        event.aggregate_id.clone(),
        usize::try_from(event.sequence).unwrap_or_default(),
        event.aggregate_type.clone(),
        event.event_type.clone(),
        event.event_version.clone(),
        serde_json::from_str(&event.payload)?,
        Value::Null,
    );
    let upcast = upcasters.iter().fold(serialized, |event, upcaster| {
        if upcaster.can_upcast(&event.event_type, &event.event_version) {
            upcaster.upcast(event)
        } else {
            event
        }
    });
    serde_json::from_value(upcast.payload)
}

/// The step of an event to its version `to`.
pub(crate) fn step(name: &str, to: &str, upcast: fn(Value) -> Value) -> Box<dyn EventUpcaster> {
    Box::new(SemanticVersionEventUpcaster::new(name, to, Box::new(upcast)))
}

/// Epoch milliseconds become RFC 3339; everything else stays.
pub(crate) fn rfc3339(time: &mut Value) {
    if let Some(utc) = time.as_i64().and_then(DateTime::from_timestamp_millis) {
        *time = utc.to_rfc3339_opts(SecondsFormat::AutoSi, true).into();
    }
}
