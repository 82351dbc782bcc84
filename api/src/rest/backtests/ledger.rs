//! `/backtests/{id}/ledger` and `/equity`: the fills of a run, and its equity.

use domain::simulation::Side;
use poem_openapi::{Object, OpenApi, param::Path};
use projections::{equity_curves::EquityRow, ledger::LedgerRow};
use serde::Serialize;

use super::lttb::lttb;
use crate::{
    http::{
        caller::Caller,
        error::ApiError,
        fields::{Field, Fields, Input, Kind, field},
        query::{Paging, Query},
        response::List,
        values::{DecimalText, time_text},
    },
    rest::{Chapter, backtests},
};

/// The fills of a run, and its equity.
pub(crate) struct Ledger;

/// A fill.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "LedgerEntry")]
pub(crate) struct EntryResource {
    id: String,
    /// From 1, without a gap.
    sequence: u32,
    trade_id: String,
    /// `buy` or `sell`.
    side: String,
    price: DecimalText,
    quantity: DecimalText,
    fee: DecimalText,
    cash_after: DecimalText,
    /// Net of both fees; null on entry.
    profit: Option<DecimalText>,
    /// Settled with the exit: received above 0, paid below. Null where there was none.
    funding: Option<DecimalText>,
    timestamp: String,
    /// The rule's text, `stop_loss`, `take_profit`, `trailing_stop`, `break_even`, `time_stop`, `liquidation` or
    /// `end_of_data`.
    reason: String,
}

/// A point of a run's equity.
#[derive(Debug, Serialize, Object)]
pub(crate) struct EquityPoint {
    timestamp: String,
    equity: Option<DecimalText>,
}

impl From<LedgerRow> for EntryResource {
    fn from(row: LedgerRow) -> Self {
        let side = match row.side {
            Side::Buy => "buy",
            Side::Sell => "sell",
        };
        Self {
            id: row.id.to_string(),
            sequence: row.sequence,
            trade_id: row.trade_id.to_string(),
            side: side.to_owned(),
            price: row.price.into(),
            quantity: row.quantity.into(),
            fee: row.fee.into(),
            cash_after: row.cash_after.into(),
            profit: row.profit.map(DecimalText::from),
            funding: row.funding.map(DecimalText::from),
            timestamp: time_text(row.timestamp),
            reason: row.reason,
        }
    }
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
        "At most that many, chosen by largest triangle three buckets; 3 to 10000.",
    )];

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let max_points = fields.integer(&["max_points"], 3, 10_000);
        Some(Self { max_points: max_points.and_then(|points| usize::try_from(points).ok()) })
    }
}

#[OpenApi(tag = "Chapter::Backtests")]
impl Ledger {
    /// Lists the fills of a run, in order.
    #[oai(path = "/backtests/:id/ledger", method = "get", operation_id = "listLedger")]
    async fn list(
        &self,
        caller: Caller,
        id: Path<String>,
        query: Query<Paging>,
    ) -> Result<List<EntryResource>, ApiError> {
        let row = backtests::find(&caller, &id.0).await?;
        let page = caller.api.reads.ledger(&row, &query.0.request()).await?;
        Ok(List::of(&query.0, page, EntryResource::from))
    }

    /// The last equity of each UTC day of a run.
    #[oai(path = "/backtests/:id/equity", method = "get", operation_id = "getEquity")]
    async fn equity(
        &self,
        caller: Caller,
        id: Path<String>,
        query: Query<EquityQuery>,
    ) -> Result<List<EquityPoint>, ApiError> {
        let row = backtests::find(&caller, &id.0).await?;
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
