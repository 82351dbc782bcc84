//! The strategy aggregate: decides and applies.

use cqrs_es::{Aggregate, event_sink::EventSink};
use serde::{Deserialize, Serialize};

use super::{
    commands::StrategyCommand,
    error::StrategyError,
    events::{StrategyContent, StrategyEvent},
};
use crate::ids::UserId;

/// A strategy as its events left it; `live` is none before creation and after deletion.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Strategy {
    pub live: Option<LiveStrategy>,
    pub is_deleted: bool,
}

/// The state of a strategy that exists.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LiveStrategy {
    pub owner_id: UserId,
    pub slug: String,
    pub version: u32,
    pub content: StrategyContent,
    pub is_active: bool,
    pub is_public: bool,
}

impl Strategy {
    /// The events that `command` makes in this state; none when it is done already.
    ///
    /// # Errors
    /// The refusal.
    pub fn decide(&self, _command: StrategyCommand) -> Result<Vec<StrategyEvent>, StrategyError> {
        todo!()
    }
}

impl Aggregate for Strategy {
    const TYPE: &'static str = "strategy";
    type Command = StrategyCommand;
    type Event = StrategyEvent;
    type Error = StrategyError;
    type Services = ();

    async fn handle(
        &mut self,
        command: StrategyCommand,
        _services: &(),
        sink: &EventSink<Self>,
    ) -> Result<(), StrategyError> {
        for event in self.decide(command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, _event: StrategyEvent) {
        todo!()
    }
}
