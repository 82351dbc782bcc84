//! `/market_data`, `/assets` and `/indicators`: what can be traded, its prices, and what is computed from them.

pub(crate) mod assets;
pub(crate) mod candles;
pub(crate) mod indicators;

use poem_openapi::OpenApi;

/// The resources of this chapter.
pub(crate) fn api() -> impl OpenApi {
    (assets::Assets, candles::MarketData, indicators::Indicators)
}
