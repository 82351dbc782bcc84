//! `/market_data`, `/assets` and `/indicators`: what can be traded, its prices, and what is computed from them.

mod assets;
mod candles;
mod indicators;
mod listed;
mod price_series;
mod query;
mod symbols;
mod timeframes;

use poem_openapi::OpenApi;

/// The resources of this chapter.
pub(crate) fn api() -> impl OpenApi {
    (
        symbols::Symbols,
        timeframes::Timeframes,
        candles::Candles,
        assets::Assets,
        price_series::PriceSeries,
        indicators::Indicators,
    )
}
