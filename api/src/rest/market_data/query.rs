//! Which candles a list shows.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Utc};
use domain::market::Timeframe;

use crate::http::{
    fields::{Field, Fields, Input, Kind, field},
    paging::{self, Paging},
    values::DayEnd,
};

const LIMIT_DEFAULT: i64 = 1_000;
const LIMIT_MAX: i64 = 5_000;

/// Where a page goes on: in the revision that the first page read, so that no page of a walk ever changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CandleCursor {
    pub(super) revision: i64,
    /// The opening of the last candle seen, epoch ms.
    pub(super) after: i64,
}

/// Which candles.
pub(crate) struct CandleQuery {
    pub(super) quote: Option<String>,
    pub(super) start: Option<DateTime<Utc>>,
    pub(super) end: Option<DateTime<Utc>>,
    pub(super) cursor: Option<CandleCursor>,
    pub(super) paging: Paging,
}

/// Which candles of which timeframe.
pub(crate) struct SeriesQuery {
    pub(super) timeframe: Timeframe,
    pub(super) range: CandleQuery,
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
        paging::LIMIT,
        paging::PER_PAGE,
        paging::CURSOR,
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
        paging::LIMIT,
        paging::PER_PAGE,
        paging::CURSOR,
    ];

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let timeframe = fields.timeframe(&["interval", "timeframe"]).unwrap_or(Timeframe::OneDay);
        Some(Self { timeframe, range: CandleQuery::read(fields)? })
    }
}

/// A cursor that no page gave.
#[derive(Debug, thiserror::Error)]
#[error("The cursor is not valid.")]
pub(super) struct InvalidCursor;

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
