//! `/assets/{symbol}/price-series`: the prices of an asset; public.

use poem_openapi::{Object, OpenApi, param::Path};
use serde::Serialize;

use super::{candles, query::SeriesQuery};
use crate::{
    http::{caller::Visitor, error::ApiError, query::Query, response::List, values::DecimalText},
    rest::Chapter,
};

/// The prices of an asset.
pub(crate) struct PriceSeries;

/// A candle of an asset.
#[derive(Debug, Serialize, Object)]
pub(crate) struct PricePoint {
    asset_id: String,
    interval: String,
    /// Open time of the candle.
    timestamp: String,
    open: DecimalText,
    high: DecimalText,
    low: DecimalText,
    close: DecimalText,
    volume: DecimalText,
}

#[OpenApi(tag = "Chapter::MarketData")]
impl PriceSeries {
    /// Lists the candles of an asset, quoted in `USDT` or in `quote`.
    #[oai(
        path = "/assets/:symbol/price-series",
        method = "get",
        operation_id = "getAssetPriceSeries"
    )]
    async fn list(
        &self,
        visitor: Visitor,
        symbol: Path<String>,
        query: Query<SeriesQuery>,
    ) -> Result<List<PricePoint>, ApiError> {
        let SeriesQuery { timeframe, range } = query.0;
        let found = candles::find(&visitor.api, &symbol.0, timeframe, &range).await?;
        let asset_id = found.market.base.clone();
        Ok(found.list(&range, |candle| PricePoint {
            asset_id: asset_id.clone(),
            interval: timeframe.to_string(),
            timestamp: candle.timestamp,
            open: candle.open,
            high: candle.high,
            low: candle.low,
            close: candle.close,
            volume: candle.volume,
        }))
    }
}
