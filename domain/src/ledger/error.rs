//! The reasons for which a ledger rejects a command.

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    #[error("the ledger is closed")]
    Closed,
    #[error("the ledger is not open")]
    NotOpen,
    #[error("the ledger is already open")]
    AlreadyOpen,
    /// Numbers, trades or cash that do not follow from what was before.
    #[error("the entry does not follow: {0}")]
    OutOfOrder(String),
}
