//! The write side: use cases that load, decide and append, and the executors that react to events.

pub mod backtest;
pub mod candles;
mod check;
pub mod context;
pub mod dataset;
pub mod error;
mod execute;
pub mod executors;
mod handle;
mod job;
pub mod prepared_run;
pub mod strategy;
pub mod sweep;
pub mod sweep_run;
pub mod sweep_search;

pub use backtest::BacktestDraft;
pub use candles::{CandleRange, get_candles};
pub use context::{Accepted, CommandContext, IdempotencyKey};
pub use error::CommandError;
pub use handle::Commands;
pub use prepared_run::{Execution, PreparedRun, Recorder, RunError};
pub use strategy::StrategyDraft;
pub use sweep::SweepDraft;
pub use sweep_run::{SweepOutcome, SweepRun, SweepRunError};
pub use sweep_search::SweepSearch;
