//! Stored candles of a range, for callers that do not use HTTP.

use std::ops::Range;

use chrono::{DateTime, Utc};
use domain::{
    market::{Symbol, Timeframe},
    simulation::Candles,
};
use infra::postgres::{
    DatabaseError,
    market_data::{CandleStore, Series},
};

use crate::dataset::{range, slice};

/// A series and which of its rows were asked for.
#[derive(Debug, Clone)]
pub struct CandleRange {
    pub series: Series,
    /// Empty if the series has nothing in the range.
    pub rows: Range<usize>,
}

impl CandleRange {
    /// A copy of the rows.
    #[must_use]
    pub fn candles(&self) -> Candles {
        slice(&self.series.candles, self.rows.clone())
    }

    /// Open times of the first and the last row; `None` if there is no row.
    #[must_use]
    pub fn ends(&self) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        let times = self.series.candles.open_time.get(self.rows.clone())?;
        let time = |ms: &i64| DateTime::from_timestamp_millis(*ms);
        Some((time(times.first()?)?, time(times.last()?)?))
    }
}

/// The published candles that open from `start` to `end`, inclusive; an end that is none is the series' own. None
/// where neither this timeframe nor a finer one is stored.
///
/// # Errors
/// The database.
pub async fn get_candles(
    store: &CandleStore,
    symbol: &Symbol,
    timeframe: Timeframe,
    start: Option<DateTime<Utc>>,
    end: Option<DateTime<Utc>>,
) -> Result<Option<CandleRange>, DatabaseError> {
    let series = store.series(symbol, timeframe, None).await?;
    Ok(series.map(|series| {
        let rows = range(&series.candles, start, end);
        CandleRange { series, rows }
    }))
}
