//! What requests are served from, and what can be configured about it.

use std::time::Duration;

use commands::Commands;
use infra::{
    clock::Clock,
    postgres::{
        EventStore,
        accounts::Accounts,
        jobs::JobQueue,
        market_data::{CandleStore, Markets},
        request_keys::RequestKeys,
    },
};
use projections::{ReadModels, equity::EquityCurves};

use crate::http::cors::Cors;

/// Everything that requests need; clones share it.
#[derive(Clone)]
pub struct Context {
    pub commands: Commands,
    pub reads: ReadModels,
    pub equity: EquityCurves,
    pub store: EventStore,
    pub accounts: Accounts,
    pub request_keys: RequestKeys,
    pub candles: CandleStore,
    pub markets: Markets,
    pub jobs: JobQueue,
    pub clock: Clock,
    pub cors: Cors,
    pub options: Options,
}

/// What can be configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// How long a command waits for the read models that it touches, and a read for `min_position`.
    pub write_wait: Duration,
    /// The largest body that is read.
    pub body_bytes_max: usize,
    /// Runs that one sweep may have.
    pub sweep_combinations_max: usize,
}
