//! The handle on every command: what use cases load from and append to.

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
