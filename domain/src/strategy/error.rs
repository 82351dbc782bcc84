//! The reasons for which a strategy rejects a command.

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StrategyError {
    #[error("the strategy already exists")]
    AlreadyExists,
    #[error("there is no such strategy")]
    NotFound,
}
