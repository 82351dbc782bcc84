//! A cache of whole series as columns: a series at a revision never changes, so nothing is ever invalidated.

use std::sync::Arc;

use domain::{
    decimals::Decimals,
    market::{Symbol, Timeframe},
    simulation::{Candles, Warning},
};
use moka::future::Cache;

use crate::postgres::database::DatabaseError;

/// The most bytes of columns to keep.
const CAPACITY: u64 = 128 << 20;

/// Bytes of one candle in columns.
const CANDLE_BYTES: usize = 48;

/// Series by symbol, timeframe and revision; clones share it.
#[derive(Clone)]
pub(super) struct SeriesCache(Cache<(Symbol, Timeframe, i64), Cached>);

/// A series with what is known of its revision.
#[derive(Clone)]
pub(super) struct Cached {
    pub(super) candles: Arc<Candles>,
    pub(super) decimals: Decimals,
    pub(super) warnings: Arc<[Warning]>,
}

impl SeriesCache {
    pub(super) fn new() -> Self {
        let weigher = |_: &_, cached: &Cached| {
            u32::try_from(cached.candles.len() * CANDLE_BYTES).unwrap_or(u32::MAX)
        };
        Self(Cache::builder().max_capacity(CAPACITY).weigher(weigher).build())
    }

    /// Returns the cached series or loads it; concurrent callers share one load.
    pub(super) async fn get(
        &self,
        key: (Symbol, Timeframe, i64),
        load: impl Future<Output = Result<Cached, DatabaseError>>,
    ) -> Result<Cached, DatabaseError> {
        // Several may wait for one load, so its error comes shared; what it means must not be lost.
        self.0.try_get_with(key, load).await.map_err(|error| match error.is_unavailable() {
            true => DatabaseError::Unavailable(format!("loading candles: {error}")),
            false => DatabaseError::Corrupt(format!("loading candles: {error}")),
        })
    }
}
