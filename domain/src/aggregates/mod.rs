//! The list of aggregates: types, event versions, upcasters and catalogue; a new aggregate is added only here.

use std::{
    any::Any,
    sync::{Arc, LazyLock},
};

use cqrs_es::Aggregate;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::{
    backtest::{self, Backtest, BacktestEvent},
    catalogue::{self, CatalogueEntry},
    event::RecordedEvent,
    ledger::{self, Ledger, LedgerEvent},
    strategy::{self, Strategy, StrategyEvent},
    sweep::{self, Sweep, SweepEvent},
    upcasting::{self, Upcasters},
};

/// Every aggregate that has events.
const AGGREGATES: [AggregateType; 4] = [
    AggregateType::of::<Strategy>(StrategyEvent::VERSIONS, strategy::upcasters::upcasters),
    AggregateType::of::<Backtest>(BacktestEvent::VERSIONS, backtest::upcasters::upcasters),
    AggregateType::of::<Ledger>(LedgerEvent::VERSIONS, ledger::upcasters::upcasters),
    AggregateType::of::<Sweep>(SweepEvent::VERSIONS, sweep::upcasters::upcasters),
];

/// The type of every aggregate, as in [`RecordedEvent::aggregate_type`].
pub const AGGREGATE_TYPES: [&str; AGGREGATES.len()] = {
    let mut types = [""; AGGREGATES.len()];
    let mut i = 0;
    while i < types.len() {
        types[i] = AGGREGATES[i].name;
        i += 1;
    }
    types
};

/// The names of every event that an aggregate has, with their aggregate types.
pub fn event_types() -> impl Iterator<Item = (&'static str, &'static str)> {
    AGGREGATES.iter().flat_map(|aggregate| {
        aggregate.versions.iter().map(|(event_type, _)| (aggregate.name, *event_type))
    })
}

/// An aggregate type with all that readers must know of its events.
struct AggregateType {
    name: &'static str,
    /// Every event type with its current version.
    versions: &'static [(&'static str, &'static str)],
    upcasters: fn() -> Upcasters,
    catalogue: fn() -> Vec<CatalogueEntry>,
}

impl AggregateType {
    const fn of<A: Aggregate<Event: JsonSchema>>(
        versions: &'static [(&'static str, &'static str)],
        upcasters: fn() -> Upcasters,
    ) -> Self {
        Self { name: A::TYPE, versions, upcasters, catalogue: catalogue::of::<A> }
    }
}

/// An event that a newer version of Backtrail wrote. It must not be decoded: its reader rests before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{event_type}` {event_version} of `{aggregate_type}` at position {position} is newer than this version of Backtrail, \
     which knows {}", known.map_or("no such event".to_owned(), |known| format!("version {known}"))
)]
pub struct EventAhead {
    pub position: i64,
    pub aggregate_type: String,
    pub event_type: String,
    pub event_version: String,
    /// The newest version that is known here; `None` if the event type is not.
    pub known: Option<&'static str>,
}

/// Why an event was not decoded.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    #[error(transparent)]
    Ahead(EventAhead),
    /// The payload is not an event of its type.
    #[error(transparent)]
    Payload(#[from] serde_json::Error),
}

/// Every event with its schema, aggregate by aggregate.
#[must_use]
pub fn catalogue() -> Vec<CatalogueEntry> {
    AGGREGATES.iter().flat_map(|aggregate| (aggregate.catalogue)()).collect()
}

impl RecordedEvent {
    /// Returns the payload as an event of the current version: older ones are upcast.
    ///
    /// # Errors
    /// [`DecodeError::Ahead`] for an event that is newer than this binary, or the payload's fault.
    pub fn decode<E: DeserializeOwned>(&self) -> Result<E, DecodeError> {
        let current = current_version(&self.aggregate_type, &self.event_type);
        // Current events are all but a few: they are read straight from their text.
        if current == Some(self.event_version.as_str()) {
            return Ok(serde_json::from_str(&self.payload)?);
        }
        match self.ahead() {
            Some(ahead) => Err(DecodeError::Ahead(ahead)),
            None => Ok(upcasting::decode(self, upcasters(&self.aggregate_type))?),
        }
    }

    /// Returns the event as [`Self::decode`] does, but decodes it once for all who ask.
    ///
    /// # Errors
    /// As [`Self::decode`].
    pub fn decode_shared<E>(&self) -> Result<Arc<E>, DecodeError>
    where
        E: DeserializeOwned + Send + Sync + 'static,
    {
        let decode = || {
            let event: Arc<dyn Any + Send + Sync> = Arc::new(self.decode::<E>().ok()?);
            Some(event)
        };
        let shared = self.decoded.0.get_or_init(decode).clone();
        match shared.map(Arc::downcast::<E>) {
            Some(Ok(event)) => Ok(event),
            // It is the payload's fault, or someone took it for another aggregate's.
            Some(Err(_)) | None => Ok(Arc::new(self.decode()?)),
        }
    }

    /// Returns what makes the event newer than this binary; `None` if it may be decoded.
    #[must_use]
    pub fn ahead(&self) -> Option<EventAhead> {
        EventAhead::of(self.position, &self.aggregate_type, &self.event_type, &self.event_version)
    }
}

impl EventAhead {
    /// The same for an event of which no more is at hand. Events of aggregate types that are not in the list are for
    /// readers that know better.
    #[must_use]
    pub fn of(
        position: i64,
        aggregate_type: &str,
        event_type: &str,
        event_version: &str,
    ) -> Option<Self> {
        find(aggregate_type)?;
        let known = current_version(aggregate_type, event_type);
        // Current events are all but a few.
        if known.is_some_and(|known| known == event_version || !is_newer(event_version, known)) {
            return None;
        }
        Some(Self {
            position,
            aggregate_type: aggregate_type.to_owned(),
            event_type: event_type.to_owned(),
            event_version: event_version.to_owned(),
            known,
        })
    }
}

fn find(aggregate_type: &str) -> Option<&'static AggregateType> {
    const ALL: &[AggregateType] = &AGGREGATES;
    ALL.iter().find(|known| known.name == aggregate_type)
}

fn current_version(aggregate_type: &str, event_type: &str) -> Option<&'static str> {
    let found = find(aggregate_type)?.versions.iter().find(|(known, _)| *known == event_type)?;
    Some(found.1)
}

/// Compares versions number by number (`1.10` is newer than `1.9`). What is no version counts as newer: it was not written here.
fn is_newer(version: &str, known: &str) -> bool {
    let numbers = |version: &str| -> Option<Vec<u32>> {
        version.split('.').map(|number| number.parse().ok()).collect()
    };
    match (numbers(version), numbers(known)) {
        (Some(version), Some(known)) => version > known,
        _ => true,
    }
}

/// The upcasters of an aggregate type; none of one that is not known here.
fn upcasters(aggregate_type: &str) -> &'static Upcasters {
    static NONE: Upcasters = Vec::new();
    static ALL: LazyLock<[(&str, Upcasters); AGGREGATES.len()]> =
        LazyLock::new(|| AGGREGATES.map(|aggregate| (aggregate.name, (aggregate.upcasters)())));
    let found = ALL.iter().find(|(known, _)| *known == aggregate_type);
    found.map_or(&NONE, |(_, upcasters)| upcasters)
}

#[cfg(test)]
mod tests;
