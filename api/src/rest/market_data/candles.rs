//! `/market_data/{symbol}/{timeframe}`: candles.

use std::{ops::Range, str::FromStr as _};

use domain::{
    error_code::ErrorCode,
    market::{Candle, Market, Timeframe},
    simulation::Candles as CandleColumns,
};
use infra::postgres::market_data::Series;
use poem::http::{StatusCode, header};
use poem_openapi::{Object, OpenApi, param::Path};
use serde::Serialize;

use super::query::CandleQuery;
use crate::{
    context::Context,
    http::{
        caller::Caller,
        cursor::{Cursor, InvalidCursor},
        error::ApiError,
        query::Query,
        response::{List, WithHeaders as _},
        values::{DecimalText, time_text_of_ms},
    },
    rest::Chapter,
};

/// Candles.
pub(crate) struct Candles;

/// A candle.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "Candle")]
pub(crate) struct CandleResource {
    /// Open time of the candle.
    pub(crate) timestamp: String,
    pub(crate) open: DecimalText,
    pub(crate) high: DecimalText,
    pub(crate) low: DecimalText,
    pub(crate) close: DecimalText,
    pub(crate) volume: DecimalText,
}

/// A page of a series.
pub(crate) struct Found {
    pub(crate) market: Market,
    series: Series,
    /// Of the series.
    rows: Range<usize>,
    is_more: bool,
}

/// The page of candles that is asked for.
///
/// # Errors
/// 404 when there is no such market, or nothing in the range (says what there is); 422 for a cursor of another series.
pub(crate) async fn find(
    api: &Context,
    symbol: &str,
    timeframe: Timeframe,
    query: &CandleQuery,
) -> Result<Found, ApiError> {
    let market = api.markets.resolve(symbol, query.quote.as_deref()).await??;
    let (revision, seen) = query.after()?.unzip();
    let series = api.candles.series(&market.symbol, timeframe, revision).await?;
    if series.is_none() && revision.is_some() {
        return Err(InvalidCursor.into());
    }
    let no_data =
        |message: String| ApiError::new(StatusCode::NOT_FOUND, ErrorCode::NoData, message);
    let series =
        series.ok_or_else(|| no_data(format!("No {timeframe} candles of {symbol} are stored.")))?;
    let candles = &series.candles;
    let first = query.start.map_or(i64::MIN, |start| start.timestamp_millis());
    let last = query.end.map_or(i64::MAX, |end| end.timestamp_millis());
    let start = candles.open_time.partition_point(|time| *time < first);
    let end = candles.open_time.partition_point(|time| *time <= last);
    if start >= end {
        return Err(no_data(nothing_in_range(candles, timeframe, &market)));
    }
    let past = |seen: i64| candles.open_time.partition_point(|time| *time <= seen);
    let after = seen.map_or(start, past);
    let start = start.max(after).min(end);
    let limit = usize::try_from(query.paging.limit()).unwrap_or(usize::MAX);
    let rows = start..end.min(start.saturating_add(limit));
    let is_more = rows.end < end;
    Ok(Found { market, rows, is_more, series })
}

fn nothing_in_range(candles: &CandleColumns, timeframe: Timeframe, market: &Market) -> String {
    let shown = |time: Option<&i64>| time.map(|ms| time_text_of_ms(*ms)).unwrap_or_default();
    let (first, last) = (shown(candles.open_time.first()), shown(candles.open_time.last()));
    let symbol = &market.symbol;
    format!(
        "No {timeframe} candles of {symbol} are stored in this range; there are some from {first} to {last}."
    )
}

impl Found {
    /// Converts the page, candle by candle. A page by cursor has one revision and never changes; the first page has the current
    /// revision.
    pub(crate) fn list<T>(
        &self,
        query: &CandleQuery,
        show: impl Fn(CandleResource) -> T,
    ) -> List<T> {
        let candles = self.rows.clone().filter_map(|row| self.series.candles.get(row));
        let rows = candles.map(|candle| show(self.resource(&candle))).collect();
        let last = self.rows.clone().last().map(|row| self.series.candles.open_time[row]);
        let revision = self.series.revision;
        let next = last.filter(|_| self.is_more);
        let next = next.map(|open_time_ms| Cursor::Candle { revision, open_time_ms });
        let list = List::new(&query.paging, rows, None, next);
        if query.paging.cursor().is_some() {
            list.with_header(header::CACHE_CONTROL, "private, max-age=86400, immutable")
        } else {
            list
        }
    }

    fn resource(&self, candle: &Candle) -> CandleResource {
        let decimals = self.series.decimals;
        let price = |value| DecimalText::of_real_with(value, decimals.price);
        CandleResource {
            timestamp: time_text_of_ms(candle.open_time),
            open: price(candle.open),
            high: price(candle.high),
            low: price(candle.low),
            close: price(candle.close),
            volume: DecimalText::of_real_with(candle.volume, decimals.volume),
        }
    }
}

#[OpenApi(tag = "Chapter::MarketData")]
impl Candles {
    /// Lists the candles of a market or asset in ascending order.
    #[oai(path = "/market_data/:symbol/:timeframe", method = "get", operation_id = "getCandles")]
    async fn list(
        &self,
        caller: Caller,
        symbol: Path<String>,
        timeframe: Path<String>,
        query: Query<CandleQuery>,
    ) -> Result<List<CandleResource>, ApiError> {
        let timeframe = Timeframe::from_str(&timeframe.0)
            .map_err(|error| ApiError::invalid_field("timeframe", format!("{error}.")))?;
        let found = find(&caller.api, &symbol.0, timeframe, &query.0).await?;
        Ok(found.list(&query.0, |candle| candle))
    }
}
