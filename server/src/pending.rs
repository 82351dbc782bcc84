//! Holds the place of the HTTP service until its crate has it.

use std::time::Duration;

use commands::Commands;
use infra::postgres::{
    EventStore, accounts::Accounts, candles::CandleStore, markets::Markets, run_queue::RunQueue,
};
use poem::Route;
use projections::ReadModels;

#[derive(Clone)]
pub struct Context {
    pub commands: Commands,
    pub reads: ReadModels,
    pub store: EventStore,
    pub accounts: Accounts,
    pub candles: CandleStore,
    pub markets: Markets,
    pub run_queue: RunQueue,
    pub options: Options,
}

#[derive(Debug, Clone, Copy)]
pub struct Options {
    pub write_wait: Duration,
    pub body_bytes_max: usize,
}

/// Nothing yet.
///
/// # Errors
/// Never.
pub fn endpoint(_context: Context) -> Result<Route, serde_json::Error> {
    Ok(Route::new())
}
