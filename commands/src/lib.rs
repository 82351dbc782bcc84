//! The write side: use cases that load, decide and append, and the executors that react to events.

pub mod backtest;
pub mod candles;
mod check;
pub mod context;
pub mod dataset;
pub mod error;
mod execute;
pub mod executors;
mod job;
pub mod prepared_run;
pub mod strategy;
pub mod sweep;
pub mod sweep_execution;

pub use backtest::BacktestDraft;
pub use candles::{CandleRange, get_candles};
pub use context::{Accepted, CommandContext, IdempotencyKey};
pub use error::CommandError;
pub use prepared_run::{Execution, PreparedRun, Recorder, RunError};
pub use strategy::StrategyDraft;
pub use sweep::SweepDraft;
pub use sweep_execution::{SweepExecutionError, SweepOutcome, SweepWork};

use infra::{
    clock::Clock,
    postgres::{
        EventStore,
        market_data::{CandleStore, Markets},
    },
};

/// The handle on every command; clones share it. One file per aggregate holds its use cases.
#[derive(Clone)]
pub struct Commands {
    pub(crate) store: EventStore,
    pub(crate) candles: CandleStore,
    pub(crate) markets: Markets,
    pub(crate) clock: Clock,
}

impl Commands {
    /// Commands over this store; ids begin with the time of `clock`.
    #[must_use]
    pub fn new(store: EventStore, candles: CandleStore, markets: Markets, clock: Clock) -> Self {
        Self { store, candles, markets, clock }
    }
}
