//! What can happen to a strategy. Names and versions are permanent.

use cqrs_es::DomainEvent;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::definition::StrategyDefinition;
use crate::{ids::UserId, market::Symbol};

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

impl DomainEvent for StrategyEvent {
    fn event_type(&self) -> String {
        match self {
            Self::StrategyCreated { .. } => "StrategyCreated",
            Self::StrategyRevised { .. } => "StrategyRevised",
            Self::StrategyActivated {} => "StrategyActivated",
            Self::StrategyDeactivated {} => "StrategyDeactivated",
            Self::StrategyPublished {} => "StrategyPublished",
            Self::StrategyUnpublished {} => "StrategyUnpublished",
            Self::StrategyDeleted {} => "StrategyDeleted",
        }
        .to_owned()
    }

    fn event_version(&self) -> String {
        "1.0".to_owned()
    }
}
