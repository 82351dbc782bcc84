//! The commands of a strategy.

use super::events::StrategyContent;
use crate::ids::UserId;

/// A request that may be rejected; repeating one that is done makes no event.
#[derive(Debug, Clone, PartialEq)]
pub enum StrategyCommand {
    /// The slug was reserved by the caller.
    Create {
        owner_id: UserId,
        slug: String,
        content: StrategyContent,
        is_active: bool,
        is_public: bool,
    },
    /// New content and flags; only what differs becomes an event.
    Revise {
        content: StrategyContent,
        is_active: bool,
        is_public: bool,
    },
    Delete,
}
