//! Which candles a list shows.

use chrono::{DateTime, Utc};
use domain::{error_code::ErrorCode, market::Timeframe};

use crate::http::{
    cursor::{Cursor, InvalidCursor},
    fields::{Field, Fields, Input, Kind, field, joined},
    paging::{self, Paging},
    values::DayEnd,
};

const LIMIT_DEFAULT: i64 = 1_000;
const LIMIT_MAX: i64 = 5_000;

/// Which candles.
pub(crate) struct CandleQuery {
    pub(super) quote: Option<String>,
    pub(super) start: Option<DateTime<Utc>>,
    pub(super) end: Option<DateTime<Utc>>,
    pub(super) paging: Paging,
}

/// Which candles of which timeframe.
pub(crate) struct SeriesQuery {
    pub(super) timeframe: Timeframe,
    pub(super) range: CandleQuery,
}

const START: [&str; 3] = ["start_time", "start_date", "start"];
const END: [&str; 3] = ["end_time", "end_date", "end"];
const TIMEFRAME: [Field; 2] = [
    field("interval", Kind::Text, "`1m`, `5m`, `15m`, `1h`, `4h` or `1d`. Defaults to `1d`."),
    field("timeframe", Kind::Text, "Alias of `interval`."),
];

impl CandleQuery {
    /// Returns the revision and the opening of the last candle of the page before.
    ///
    /// # Errors
    /// The cursor is of another kind of list.
    pub(super) fn after(&self) -> Result<Option<(i64, i64)>, InvalidCursor> {
        match self.paging.cursor() {
            None => Ok(None),
            Some(Cursor::Candle { revision, open_time_ms }) => Ok(Some((*revision, *open_time_ms))),
            Some(_) => Err(InvalidCursor),
        }
    }
}

impl Input for CandleQuery {
    const NAME: &'static str = "CandleQuery";
    const FIELDS: &'static [Field] = &[
        field("start_time", Kind::Time, "Open time of the first candle, inclusive."),
        field("start_date", Kind::Time, "Alias of `start_time`."),
        field("start", Kind::Time, "Alias of `start_time`."),
        field("end_time", Kind::Time, "Open time of the last candle, inclusive."),
        field("end_date", Kind::Time, "Alias of `end_time`."),
        field("end", Kind::Time, "Alias of `end_time`."),
        field(
            "quote",
            Kind::Text,
            "Quote asset of the market, if the path names an asset. Defaults to `USDT`.",
        ),
        field("limit", Kind::Integer(1, LIMIT_MAX), "Candles per page. Defaults to 1000."),
        field("per_page", Kind::Integer(1, LIMIT_MAX), "Alias of `limit`."),
        paging::CURSOR,
    ];

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let start = fields.time(&START, DayEnd::Start);
        let end = fields.time(&END, DayEnd::End);
        if let (Some(start), Some(end)) = (start, end)
            && end < start
        {
            fields.error(
                "end_time",
                ErrorCode::OutOfRange,
                "The end must not be before the start.",
            );
        }
        let paging = Paging::read_with(fields, LIMIT_DEFAULT, LIMIT_MAX);
        Some(Self { quote: fields.text(&["quote"], 30), start, end, paging })
    }
}

impl Input for SeriesQuery {
    const NAME: &'static str = "SeriesQuery";
    const FIELDS: &'static [Field] =
        &joined::<{ TIMEFRAME.len() + CandleQuery::FIELDS.len() }>(&TIMEFRAME, CandleQuery::FIELDS);

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let timeframe = fields.timeframe(&["interval", "timeframe"]).unwrap_or(Timeframe::OneDay);
        Some(Self { timeframe, range: CandleQuery::read(fields)? })
    }
}
