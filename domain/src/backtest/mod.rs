//! Backtests: the lifecycle of a run, from request to result.

pub mod aggregate;
mod balance;
pub mod commands;
pub mod events;
pub mod upcasters;

pub use aggregate::{Backtest, LiveBacktest};
pub use balance::check_balance;
pub use commands::{BacktestCommand, Completion};
pub use events::{BacktestEvent, Origin, Request, SweepRow};

#[cfg(test)]
mod tests;
