//! A small aggregate that both stores keep: it counts.

use cqrs_es::{Aggregate, DomainEvent, event_sink::EventSink};
use serde::{Deserialize, Serialize};

/// The sum of what was counted.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tally {
    pub sum: i64,
}

/// Its one fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub(super) enum TallyEvent {
    Counted { number: i64 },
}

/// Count this too.
pub(super) struct Count(pub i64);

#[derive(Debug, thiserror::Error)]
pub(super) enum Never {}

impl DomainEvent for TallyEvent {
    fn event_type(&self) -> String {
        "Counted".to_owned()
    }

    fn event_version(&self) -> String {
        "1.0".to_owned()
    }
}

impl Aggregate for Tally {
    const TYPE: &'static str = "tally";
    type Command = Count;
    type Event = TallyEvent;
    type Error = Never;
    type Services = ();

    async fn handle(
        &mut self,
        Count(number): Count,
        _services: &(),
        sink: &EventSink<Self>,
    ) -> Result<(), Never> {
        sink.write(TallyEvent::Counted { number }, self).await;
        Ok(())
    }

    fn apply(&mut self, TallyEvent::Counted { number }: TallyEvent) {
        self.sum += number;
    }
}
