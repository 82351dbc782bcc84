//! Old events become events of the current version when they are read, one version step at a time.

use std::sync::LazyLock;

use cqrs_es::{
    Aggregate,
    persist::{EventUpcaster, SerializedEvent},
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    backtest::{self, Backtest},
    event::RecordedEvent,
    ledger::{self, Ledger},
    strategy::{self, Strategy},
    sweep::{self, Sweep},
};

/// The upcasters of one aggregate, in the order in which they are tried: older versions first.
pub type Upcasters = Vec<Box<dyn EventUpcaster>>;

/// The type of every aggregate that has events, as in [`RecordedEvent::aggregate_type`].
pub const AGGREGATE_TYPES: [&str; 4] = [Strategy::TYPE, Backtest::TYPE, Ledger::TYPE, Sweep::TYPE];

/// The upcasters of an aggregate type; none for one that is not known here.
#[must_use]
pub fn upcasters(aggregate_type: &str) -> &'static [Box<dyn EventUpcaster>] {
    static ALL: LazyLock<[(&str, Upcasters); AGGREGATE_TYPES.len()]> = LazyLock::new(|| {
        [
            (Strategy::TYPE, strategy::upcasters::upcasters()),
            (Backtest::TYPE, backtest::upcasters::upcasters()),
            (Ledger::TYPE, ledger::upcasters::upcasters()),
            (Sweep::TYPE, sweep::upcasters::upcasters()),
        ]
    });
    let found = ALL.iter().find(|(known, _)| *known == aggregate_type);
    found.map_or(&[], |(_, upcasters)| upcasters.as_slice())
}

/// The payload of `event` as an event of the current version, by way of these upcasters.
///
/// # Errors
/// The JSON error when the payload is not one.
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

#[cfg(test)]
mod tests;
