//! The events of a strategy. Names and versions are permanent.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::definition::StrategyDefinition;
use crate::{event::event_versions, ids::UserId, market::Symbol};

/// The content of a strategy as its owner writes it.
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
    /// Created with version 1 of the content. Active and private unless later events say otherwise.
    StrategyCreated {
        owner_id: UserId,
        slug: String,
        content: StrategyContent,
        is_active: bool,
        is_public: bool,
    },
    /// New content as the next version. The slug stays the same.
    StrategyRevised { version: u32, content: StrategyContent },
    /// Its owner marked it as active.
    StrategyActivated {},
    /// Its owner marked it as inactive.
    StrategyDeactivated {},
    /// Every user may now read and backtest it.
    StrategyPublished {},
    /// Only its owner may now read and backtest it.
    StrategyUnpublished {},
    /// Deleted for its owner. Its backtests are kept.
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
