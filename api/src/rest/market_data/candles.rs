//! `/market_data`: symbols, timeframes, candles.

use std::{fmt, ops::Range, str::FromStr};

use chrono::{DateTime, Utc};
use domain::{
    market::{Candle, Market, Timeframe},
    simulation::Candles,
};
use infra::postgres::market_data::Series;
use poem::http::{StatusCode, header};
use poem_openapi::{Object, OpenApi, param::Path};
use serde::Serialize;

use crate::{
    Context,
    http::{
        caller::Caller,
        error::ApiError,
        fields::{Field, Fields, Input, Kind, field},
        query::{self, NoQuery, Paging, Query},
        response::{List, WithHeaders as _},
        values::{DayEnd, DecimalText, time_text, time_text_of_ms},
    },
    rest::Chapter,
};

const LIMIT_DEFAULT: i64 = 1_000;
const LIMIT_MAX: i64 = 5_000;

/// Symbols, timeframes, candles.
pub(crate) struct MarketData;

/// A market, and what is stored of it.
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
    /// What is stored; coarser timeframes are made of finer ones.
    coverage: Vec<CoverageResource>,
}

/// One stored series.
#[derive(Debug, Serialize, Object)]
pub(crate) struct CoverageResource {
    timeframe: String,
    rows: i64,
    first: String,
    last: String,
}

/// A timeframe.
#[derive(Debug, Serialize, Object)]
pub(crate) struct TimeframeResource {
    timeframe: String,
    seconds: i64,
}

/// A candle.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "Candle")]
pub(crate) struct CandleResource {
    /// The candle's opening.
    pub(crate) timestamp: String,
    pub(crate) open: DecimalText,
    pub(crate) high: DecimalText,
    pub(crate) low: DecimalText,
    pub(crate) close: DecimalText,
    pub(crate) volume: DecimalText,
}

/// Where a page goes on: in the revision that the first page read, so that no page of a walk ever changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct CandleCursor {
    revision: i64,
    /// The opening of the last candle seen, epoch ms.
    after: i64,
}

/// Which candles.
pub(crate) struct CandleQuery {
    quote: Option<String>,
    start: Option<DateTime<Utc>>,
    end: Option<DateTime<Utc>>,
    cursor: Option<CandleCursor>,
    paging: Paging,
}

/// Which candles of which timeframe.
pub(crate) struct SeriesQuery {
    pub(crate) timeframe: Timeframe,
    pub(crate) range: CandleQuery,
}

const START: [&str; 3] = ["start_time", "start_date", "start"];
const END: [&str; 3] = ["end_time", "end_date", "end"];
const START_TIME: Field = field("start_time", Kind::Time, "The first opening; inclusive.");
const START_DATE: Field = field("start_date", Kind::Time, "The same as `start_time`.");
const START_SHORT: Field = field("start", Kind::Time, "The same as `start_time`.");
const END_TIME: Field = field("end_time", Kind::Time, "The last opening; inclusive.");
const END_DATE: Field = field("end_date", Kind::Time, "The same as `end_time`.");
const END_SHORT: Field = field("end", Kind::Time, "The same as `end_time`.");
const QUOTE: Field = field("quote", Kind::Text, "The market's quote, for an asset: `USDT`.");

impl Input for CandleQuery {
    const NAME: &'static str = "CandleQuery";
    const FIELDS: &'static [Field] = &[
        START_TIME,
        START_DATE,
        START_SHORT,
        END_TIME,
        END_DATE,
        END_SHORT,
        QUOTE,
        query::LIMIT,
        query::PER_PAGE,
        query::CURSOR,
    ];

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let start = fields.time(&START, DayEnd::Start);
        let end = fields.time(&END, DayEnd::End);
        if let (Some(start), Some(end)) = (start, end)
            && end < start
        {
            fields.error("end_time", "out_of_range", "The end must not be before the start.");
        }
        let paging = Paging::read_with(fields, LIMIT_DEFAULT, LIMIT_MAX);
        let cursor = paging.cursor().map(str::parse::<CandleCursor>);
        if let Some(Err(InvalidCursor)) = cursor {
            fields.error("cursor", "invalid", InvalidCursor.to_string());
        }
        let cursor = cursor.and_then(Result::ok);
        Some(Self { quote: fields.text(&["quote"], 30), start, end, cursor, paging })
    }
}

impl Input for SeriesQuery {
    const NAME: &'static str = "SeriesQuery";
    const FIELDS: &'static [Field] = &[
        field("interval", Kind::Text, "1m, 5m, 15m, 1h, 4h or 1d: 1d unless told."),
        field("timeframe", Kind::Text, "The same as `interval`."),
        START_TIME,
        START_DATE,
        START_SHORT,
        END_TIME,
        END_DATE,
        END_SHORT,
        QUOTE,
        query::LIMIT,
        query::PER_PAGE,
        query::CURSOR,
    ];

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let timeframe = fields.timeframe(&["interval", "timeframe"]).unwrap_or(Timeframe::OneDay);
        Some(Self { timeframe, range: CandleQuery::read(fields)? })
    }
}

/// A cursor that no page gave.
#[derive(Debug, thiserror::Error)]
#[error("The cursor is not valid.")]
struct InvalidCursor;

impl FromStr for CandleCursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let (revision, after) = text.split_once('.').ok_or(InvalidCursor)?;
        let number = |text: &str| text.parse::<i64>().map_err(|_| InvalidCursor);
        Ok(Self { revision: number(revision)?, after: number(after)? })
    }
}

impl fmt::Display for CandleCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.revision, self.after)
    }
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
    let market = api.markets.resolve(symbol, query.quote.as_deref()).await?;
    let market = market.ok_or_else(|| ApiError::not_found("market"))?;
    let revision = query.cursor.map(|cursor| cursor.revision);
    let series = api.candles.series(&market.symbol, timeframe, revision).await?;
    if series.is_none() && revision.is_some() {
        return Err(ApiError::invalid_field("cursor", InvalidCursor.to_string()));
    }
    let no_data = |message: String| ApiError::new(StatusCode::NOT_FOUND, "no_data", message);
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
    let seen = |cursor: CandleCursor| candles.open_time.partition_point(|t| *t <= cursor.after);
    let after = query.cursor.map_or(start, seen);
    let start = start.max(after).min(end);
    let limit = usize::try_from(query.paging.limit()).unwrap_or(usize::MAX);
    let rows = start..end.min(start.saturating_add(limit));
    let is_more = rows.end < end;
    Ok(Found { market, rows, is_more, series })
}

fn nothing_in_range(candles: &Candles, timeframe: Timeframe, market: &Market) -> String {
    let shown = |time: Option<&i64>| time.map(|ms| time_text_of_ms(*ms)).unwrap_or_default();
    let (first, last) = (shown(candles.open_time.first()), shown(candles.open_time.last()));
    let symbol = &market.symbol;
    format!(
        "No {timeframe} candles of {symbol} lie in the range; there are some from {first} to {last}."
    )
}

impl Found {
    /// The page, each candle as it is shown. A page by cursor is of one revision and never changes; the first one is of the
    /// revision of the day.
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
        let next = next.map(|after| CandleCursor { revision, after }.to_string());
        let list = List::new(&query.paging, rows, None, next);
        if query.cursor.is_some() {
            list.with_header(header::CACHE_CONTROL, "private, max-age=86400, immutable")
        } else {
            list
        }
    }

    fn resource(&self, candle: &Candle) -> CandleResource {
        let price = |value| DecimalText::of_real_with(value, self.market.price_decimals);
        CandleResource {
            timestamp: time_text_of_ms(candle.open_time),
            open: price(candle.open),
            high: price(candle.high),
            low: price(candle.low),
            close: price(candle.close),
            volume: DecimalText::of_real_with(candle.volume, self.market.volume_decimals),
        }
    }
}

#[OpenApi(tag = "Chapter::MarketData")]
impl MarketData {
    /// Lists the markets with what is stored of them.
    #[oai(path = "/market_data/symbols", method = "get", operation_id = "listSymbols")]
    async fn symbols(
        &self,
        caller: Caller,
        query: Query<NoQuery>,
    ) -> Result<List<MarketResource>, ApiError> {
        let Query(NoQuery) = query;
        let coverage = caller.api.candles.coverage().await?;
        let markets = caller.api.markets.markets().await?;
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
            kind: super::assets::kind_name(market.kind).to_owned(),
            lot: market.lot.into(),
            price_decimals: market.price_decimals,
            volume_decimals: market.volume_decimals,
        };
        Ok(List::whole(markets.into_iter().map(resource).collect()))
    }

    /// Lists the timeframes.
    #[oai(path = "/market_data/timeframes", method = "get", operation_id = "listTimeframes")]
    async fn timeframes(&self, _caller: Caller) -> List<TimeframeResource> {
        let resource = |timeframe: Timeframe| TimeframeResource {
            timeframe: timeframe.to_string(),
            seconds: timeframe.duration_ms() / 1_000,
        };
        List::whole(Timeframe::ALL.map(resource).into()).cached_publicly()
    }

    /// The candles of a market (or of an asset in its market), ascending.
    #[oai(path = "/market_data/:symbol/:timeframe", method = "get", operation_id = "getCandles")]
    async fn candles(
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
