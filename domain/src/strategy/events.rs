//! The events of a strategy. Names and versions are permanent.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::definition::StrategyDefinition;
use crate::{event::event_versions, ids::UserId, market::Symbol};

/// What a user writes about a strategy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StrategyContent {
    pub name: String,
    #[serde(default)]
    pub description: String,
    pub definition: StrategyDefinition,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_symbol: Option<Symbol>,
}

/// The facts of a strategy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum StrategyEvent {
    /// Version 1 of the content; active and private unless said otherwise.
    StrategyCreated {
        owner_id: UserId,
        slug: String,
        content: StrategyContent,
        is_active: bool,
        is_public: bool,
    },
    /// New content under the next version; the slug stays.
    StrategyRevised { version: u32, content: StrategyContent },
    /// Its owner marks it as in use.
    StrategyActivated {},
    /// Its owner marks it as not in use.
    StrategyDeactivated {},
    /// Everybody may read it and test it.
    StrategyPublished {},
    /// Only its owner may read it and test it.
    StrategyUnpublished {},
    /// It is gone for its owner; what was run with it stays.
    StrategyDeleted {},
}

event_versions!(StrategyEvent {
    StrategyCreated => "1.0",
    StrategyRevised => "1.0",
    StrategyActivated => "1.0",
    StrategyDeactivated => "1.0",
    StrategyPublished => "1.0",
    StrategyUnpublished => "1.0",
    StrategyDeleted => "1.0",
});
