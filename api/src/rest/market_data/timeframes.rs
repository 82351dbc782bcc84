//! `/market_data/timeframes`.

use domain::market::Timeframe;
use poem_openapi::{Object, OpenApi};
use serde::Serialize;

use super::listed::{DetailsQuery, Listed};
use crate::{
    http::{
        caller::Caller,
        error::ApiError,
        query::Query,
        response::{List, WithHeaders as _},
    },
    rest::Chapter,
};

/// The timeframes.
pub(crate) struct Timeframes;

/// A timeframe.
#[derive(Debug, Serialize, Object)]
pub(crate) struct TimeframeResource {
    timeframe: String,
    seconds: i64,
}

#[OpenApi(tag = "Chapter::MarketData")]
impl Timeframes {
    /// Lists the timeframes: their names or, with `details=true`, objects.
    #[oai(path = "/market_data/timeframes", method = "get", operation_id = "listTimeframes")]
    async fn list(
        &self,
        _caller: Caller,
        query: Query<DetailsQuery>,
    ) -> Result<List<Listed<TimeframeResource>>, ApiError> {
        let has_details = query.0.has_details;
        let row = |timeframe: Timeframe| match has_details {
            false => Listed::Name(timeframe.to_string()),
            true => Listed::Details(TimeframeResource {
                timeframe: timeframe.to_string(),
                seconds: timeframe.duration_ms() / 1_000,
            }),
        };
        Ok(List::whole(Timeframe::ALL.map(row).into()).cached_publicly())
    }
}
