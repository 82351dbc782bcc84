//! `/backtests/{id}/equity`: the equity of a run.

use poem_openapi::{Object, OpenApi, param::Path};
use projections::equity_curves::EquityRow;
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

/// A point on the equity curve.
#[derive(Debug, Serialize, Object)]
pub(crate) struct EquityPoint {
    timestamp: String,
    equity: Option<DecimalText>,
}

/// How many points of the equity.
pub(crate) struct EquityQuery {
    max_points: Option<usize>,
}

impl Input for EquityQuery {
    const NAME: &'static str = "EquityQuery";
    const FIELDS: &'static [Field] = &[field(
        "max_points",
        Kind::Integer,
        "Maximum number of points, 3 to 10000. Downsampled with largest-triangle-three-buckets.",
    )];

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let max_points = fields.integer(&["max_points"], 3, 10_000);
        Some(Self { max_points: max_points.and_then(|points| usize::try_from(points).ok()) })
    }
}

#[OpenApi(tag = "Chapter::Backtests")]
impl Equity {
    /// Returns the equity at the end of each UTC day of a backtest.
    #[oai(path = "/backtests/:id/equity", method = "get", operation_id = "getEquity")]
    async fn list(
        &self,
        caller: Caller,
        id: Path<String>,
        query: Query<EquityQuery>,
    ) -> Result<List<EquityPoint>, ApiError> {
        let row = caller.backtest(&id.0).await?;
        let mut points = caller.api.reads.equity_curve(&row).await?;
        if let Some(max_points) = query.0.max_points {
            let place = |point: &EquityRow| (point.time.timestamp_millis() as f64, point.equity);
            points = lttb(&points, max_points, place);
        }
        let point = |row: EquityRow| EquityPoint {
            timestamp: time_text(row.time),
            equity: DecimalText::of_real(row.equity),
        };
        Ok(List::whole(points.into_iter().map(point).collect()))
    }
}
