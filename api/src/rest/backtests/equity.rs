//! `/backtests/{id}/equity`: the equity of a run.

use chrono::{DateTime, NaiveTime, Utc};
use poem_openapi::{Object, OpenApi, param::Path};
use projections::equity::EquityDay;
use serde::Serialize;

use super::lttb::lttb;
use crate::{
    http::{
        caller::Caller,
        error::ApiError,
        fields::{Field, Fields, Input, Kind, field},
        query::Query,
        response::List,
        values::{DecimalText, time_text},
    },
    rest::Chapter,
};

/// The equity of a run.
pub(crate) struct Equity;

/// The end of a UTC day of a backtest.
#[derive(Debug, Serialize, Object)]
pub(crate) struct EquityPoint {
    /// The midnight at which the day begins.
    timestamp: String,
    /// Quote money, rounded to 4 decimals or 9 significant digits, whichever is finer.
    equity: Option<DecimalText>,
    /// How far equity is below its highest value so far, in percent. The initial balance counts as the first one.
    drawdown_percentage: Option<DecimalText>,
    /// Share of the equity in positions: 0.5 is half, above 1 is leverage. Longs and shorts are added. Null if equity is not
    /// above 0, if the ledger has more than a million entries, or if the run is of an older version and cannot be marked.
    exposure: Option<DecimalText>,
    /// What the initial balance would be worth if it had bought at the close of the first candle at which every indicator
    /// has a value, without costs. Before that candle, the initial balance. Null if this version refuses the strategy of an
    /// older run.
    buy_and_hold: Option<DecimalText>,
}

impl From<EquityDay> for EquityPoint {
    fn from(day: EquityDay) -> Self {
        Self {
            timestamp: time_text(midnight(&day)),
            equity: DecimalText::of_real(day.equity),
            drawdown_percentage: DecimalText::of_real(day.drawdown * 100.0),
            exposure: day.exposure.and_then(DecimalText::of_real),
            buy_and_hold: day.buy_and_hold.and_then(DecimalText::of_real),
        }
    }
}

fn midnight(day: &EquityDay) -> DateTime<Utc> {
    day.day.and_time(NaiveTime::MIN).and_utc()
}

/// The most points of a request.
const POINTS_MAX: i64 = 10_000;

/// How many points of the equity.
pub(crate) struct EquityQuery {
    max_points: Option<usize>,
}

impl Input for EquityQuery {
    const NAME: &'static str = "EquityQuery";
    const FIELDS: &'static [Field] = &[field(
        "max_points",
        Kind::Integer(3, POINTS_MAX),
        "Maximum number of points, 3 to 10000. Downsampled with largest-triangle-three-buckets.",
    )];

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let max_points = fields.integer(&["max_points"], 3, POINTS_MAX);
        Some(Self { max_points: max_points.and_then(|points| usize::try_from(points).ok()) })
    }
}

#[OpenApi(tag = "Chapter::Backtests")]
impl Equity {
    /// Returns the equity at the end of each UTC day of a backtest, with drawdown, exposure and buy and hold.
    ///
    /// Days without candles are left out. The list is empty until the backtest is completed.
    #[oai(path = "/backtests/:id/equity", method = "get", operation_id = "getEquity")]
    async fn list(
        &self,
        caller: Caller,
        id: Path<String>,
        query: Query<EquityQuery>,
    ) -> Result<List<EquityPoint>, ApiError> {
        let row = caller.backtest(&id.0).await?;
        let mut days = caller.api.equity.of(&row).await?;
        if let Some(max_points) = query.0.max_points {
            let place = |day: &EquityDay| (midnight(day).timestamp_millis() as f64, day.equity);
            days = lttb(&days, max_points, place);
        }
        Ok(List::whole(days.into_iter().map(EquityPoint::from).collect()))
    }
}
