//! Ledgers: how a run changed its cash, fill by fill; only executors append to them.

pub mod aggregate;
mod cash;
pub mod commands;
pub mod entries;
pub mod equity;
pub mod error;
pub mod events;
pub mod hash;
pub mod upcasters;

pub use aggregate::{Ledger, OpenTrade};
pub use commands::LedgerCommand;
pub use equity::DailyEquity;
pub use error::LedgerError;
pub use events::{ClosedTrade, LedgerEvent, OpeningPosition, Subject, SubjectKind};

#[cfg(test)]
mod tests;
