//! `/market_data/timeframes`.

use domain::market::Timeframe;
use poem_openapi::{Object, OpenApi};
use serde::Serialize;

use crate::{
    http::{
        caller::Caller,
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
    /// Lists the timeframes.
    #[oai(path = "/market_data/timeframes", method = "get", operation_id = "listTimeframes")]
    async fn list(&self, _caller: Caller) -> List<TimeframeResource> {
        let resource = |timeframe: Timeframe| TimeframeResource {
            timeframe: timeframe.to_string(),
            seconds: timeframe.duration_ms() / 1_000,
        };
        List::whole(Timeframe::ALL.map(resource).into()).cached_publicly()
    }
}
