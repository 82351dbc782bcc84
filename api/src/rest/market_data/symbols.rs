//! `/market_data/symbols`: the markets, and what is stored of them.

use domain::market::Market;
use poem_openapi::{Object, OpenApi};
use serde::Serialize;

use super::listed::{DetailsQuery, Listed};
use crate::{
    http::{
        caller::Caller,
        error::ApiError,
        query::Query,
        response::List,
        values::{DecimalText, time_text},
    },
    rest::Chapter,
};

/// The markets.
pub(crate) struct Symbols;

/// A market and its stored candles.
#[derive(Debug, Serialize, Object)]
pub(crate) struct MarketResource {
    symbol: String,
    base: String,
    quote: String,
    /// `crypto`, `fiat` or `equity`.
    #[serde(rename = "type")]
    #[oai(rename = "type")]
    kind: String,
    lot: DecimalText,
    price_decimals: u32,
    volume_decimals: u32,
    /// The stored series. Coarser timeframes are aggregated from finer ones.
    coverage: Vec<CoverageResource>,
}

/// A stored series of candles.
#[derive(Debug, Serialize, Object)]
pub(crate) struct CoverageResource {
    timeframe: String,
    rows: i64,
    first: String,
    last: String,
}

#[OpenApi(tag = "Chapter::MarketData")]
impl Symbols {
    /// Lists the markets: their symbols or, with `details=true`, also their stored candles.
    #[oai(path = "/market_data/symbols", method = "get", operation_id = "listSymbols")]
    async fn list(
        &self,
        caller: Caller,
        query: Query<DetailsQuery>,
    ) -> Result<List<Listed<MarketResource>>, ApiError> {
        let markets = caller.api.markets.markets().await?;
        if !query.0.has_details {
            let names = markets.into_iter().map(|market| Listed::Name(market.symbol.to_string()));
            return Ok(List::whole(names.collect()));
        }
        let coverage = caller.api.candles.coverage().await?;
        let resource = |market: Market| MarketResource {
            coverage: coverage
                .iter()
                .filter(|series| series.symbol == market.symbol)
                .map(|series| CoverageResource {
                    timeframe: series.timeframe.to_string(),
                    rows: series.rows,
                    first: time_text(series.first),
                    last: time_text(series.last),
                })
                .collect(),
            symbol: market.symbol.to_string(),
            base: market.base,
            quote: market.quote,
            kind: market.kind.as_str().to_owned(),
            lot: market.lot.into(),
            price_decimals: market.price_decimals,
            volume_decimals: market.volume_decimals,
        };
        let rows = markets.into_iter().map(|market| Listed::Details(resource(market)));
        Ok(List::whole(rows.collect()))
    }
}
