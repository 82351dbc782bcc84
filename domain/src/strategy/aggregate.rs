//! The strategy aggregate: decides and applies.

use std::collections::BTreeSet;

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
    /// The versions that were current while the strategy was public: what others may know of it.
    #[serde(default)]
    pub published_versions: BTreeSet<u32>,
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
    /// Returns the events that `command` makes in this state; none if it has already been done.
    ///
    /// # Errors
    /// The refusal.
    pub fn decide(&self, command: StrategyCommand) -> Result<Vec<StrategyEvent>, StrategyError> {
        match (command, &self.live) {
            (StrategyCommand::Create { owner_id, slug, content, is_active, is_public }, None)
                if !self.is_deleted =>
            {
                let created = StrategyEvent::StrategyCreated {
                    owner_id,
                    slug,
                    content,
                    is_active,
                    is_public,
                };
                Ok(vec![created])
            }
            (
                StrategyCommand::Create { owner_id, slug, content, is_active, is_public },
                Some(live),
            ) => {
                let created =
                    LiveStrategy { owner_id, slug, version: 1, content, is_active, is_public };
                if *live == created { Ok(Vec::new()) } else { Err(StrategyError::AlreadyExists) }
            }
            (StrategyCommand::Create { .. }, None) => Err(StrategyError::AlreadyExists),
            (StrategyCommand::Revise { content, is_active, is_public }, Some(live)) => {
                Ok(live.revise(content, is_active, is_public))
            }
            (StrategyCommand::Delete, Some(_)) => Ok(vec![StrategyEvent::StrategyDeleted {}]),
            (StrategyCommand::Revise { .. } | StrategyCommand::Delete, None) => {
                Err(StrategyError::NotFound)
            }
        }
    }
}

impl LiveStrategy {
    fn revise(
        &self,
        content: StrategyContent,
        is_active: bool,
        is_public: bool,
    ) -> Vec<StrategyEvent> {
        let mut events = Vec::new();
        // What is revised and made private at once was never public.
        if self.is_public && !is_public {
            events.push(StrategyEvent::StrategyUnpublished {});
        }
        if content != self.content {
            events.push(StrategyEvent::StrategyRevised { version: self.version + 1, content });
        }
        match (self.is_active, is_active) {
            (false, true) => events.push(StrategyEvent::StrategyActivated {}),
            (true, false) => events.push(StrategyEvent::StrategyDeactivated {}),
            (false, false) | (true, true) => {}
        }
        if !self.is_public && is_public {
            events.push(StrategyEvent::StrategyPublished {});
        }
        events
    }

    fn apply(&mut self, event: StrategyEvent) {
        match event {
            StrategyEvent::StrategyCreated { .. } | StrategyEvent::StrategyDeleted {} => {}
            StrategyEvent::StrategyRevised { version, content } => {
                self.version = version;
                self.content = content;
            }
            StrategyEvent::StrategyActivated {} => self.is_active = true,
            StrategyEvent::StrategyDeactivated {} => self.is_active = false,
            StrategyEvent::StrategyPublished {} => self.is_public = true,
            StrategyEvent::StrategyUnpublished {} => self.is_public = false,
        }
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

    fn apply(&mut self, event: StrategyEvent) {
        match event {
            StrategyEvent::StrategyCreated { owner_id, slug, content, is_active, is_public } => {
                self.live = Some(LiveStrategy {
                    owner_id,
                    slug,
                    version: 1,
                    content,
                    is_active,
                    is_public,
                });
            }
            StrategyEvent::StrategyDeleted {} => {
                self.live = None;
                self.is_deleted = true;
            }
            event @ (StrategyEvent::StrategyRevised { .. }
            | StrategyEvent::StrategyActivated {}
            | StrategyEvent::StrategyDeactivated {}
            | StrategyEvent::StrategyPublished {}
            | StrategyEvent::StrategyUnpublished {}) => {
                if let Some(live) = &mut self.live {
                    live.apply(event);
                }
            }
        }
        if let Some(live) = self.live.as_ref().filter(|live| live.is_public) {
            self.published_versions.insert(live.version);
        }
    }
}
