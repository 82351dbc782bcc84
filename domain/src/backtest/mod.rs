//! Backtests: the lifecycle of a run, from request to result.

pub mod aggregate;
mod balance;
pub mod commands;
pub mod error;
pub mod events;
pub mod upcasters;

pub use aggregate::{Backtest, LiveBacktest, Status};
pub use balance::check_balance;
pub use commands::{BacktestCommand, Claim, Completion};
pub use error::BacktestError;
pub use events::{BacktestEvent, Dataset, FineDataset, Origin, Request, SweepRow};

#[cfg(test)]
mod tests;
