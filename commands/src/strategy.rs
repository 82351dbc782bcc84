//! Use cases of strategies.

use domain::{ids::StrategyId, strategy::StrategyContent};

use crate::{Accepted, CommandContext, CommandError, Commands};

/// A strategy as a user wants it; the content is valid by construction.
#[derive(Debug, Clone)]
pub struct StrategyDraft {
    pub content: StrategyContent,
    pub is_active: bool,
    pub is_public: bool,
}

impl Commands {
    /// Creates a strategy under a slug of its own (`-2`, `-3` where the name is taken).
    ///
    /// # Errors
    /// See [`CommandError`].
    pub async fn create_strategy(
        &self,
        _context: &CommandContext,
        _draft: StrategyDraft,
    ) -> Result<Accepted<StrategyId>, CommandError> {
        todo!()
    }

    /// Replaces content and flags; what does not differ makes no event.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub async fn revise_strategy(
        &self,
        _context: &CommandContext,
        _id: StrategyId,
        _draft: StrategyDraft,
    ) -> Result<Accepted<()>, CommandError> {
        todo!()
    }

    /// Deletes a strategy and frees its slug.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub async fn delete_strategy(
        &self,
        _context: &CommandContext,
        _id: StrategyId,
    ) -> Result<Accepted<()>, CommandError> {
        todo!()
    }
}
