//! The commands that an executor sends to a ledger.

use super::events::LedgerEvent;

/// A request that may be rejected.
#[derive(Debug, Clone, PartialEq)]
pub enum LedgerCommand {
    /// Appends entries in order (`LedgerOpened` first, `LedgerClosed` last).
    Record(Vec<LedgerEvent>),
    /// Voids what was before.
    Restart { engine_version: String },
}
