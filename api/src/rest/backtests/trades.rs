//! `/backtests/{id}/trades`: the round trips of a run.

use domain::simulation::Direction;
use poem_openapi::{Object, OpenApi, param::Path};
use projections::trades::{TradeFilter, TradeResult, TradeRow};
use serde::Serialize;

use crate::{
    http::{
        caller::Caller,
        error::ApiError,
        fields::{Field, Fields, Input, Kind, field},
        paging::{self, Paging},
        query::Query,
        response::List,
        values::{DecimalText, time_text},
    },
    rest::Chapter,
};

/// The round trips of a run.
pub(crate) struct Trades;

/// A round trip. `exit_*` and `pnl*` are null while the trade is open.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "Trade")]
pub(crate) struct TradeResource {
    id: String,
    backtest_id: String,
    /// Starts at 1, in order of entry. A part that was closed separately gets the next number when it is closed.
    number: u32,
    entry_time: String,
    entry_price: DecimalText,
    exit_time: Option<String>,
    exit_price: Option<DecimalText>,
    quantity: DecimalText,
    /// `long` or `short`.
    side: String,
    /// Profit net of both fees.
    pnl: Option<DecimalText>,
    pnl_percentage: Option<DecimalText>,
    fees: DecimalText,
    entry_reason: String,
    exit_reason: Option<String>,
    /// Whether one candle touched both the stop-loss and the take-profit.
    is_ambiguous: bool,
    /// Funding: positive if received, negative if paid. Not included in `pnl`. Null if there was none.
    funding: Option<DecimalText>,
    /// What the exit lost beyond all cash, for example in a liquidation. 0 or more, and not included in `pnl`. Null while the
    /// trade is open, or if an older version did not record it.
    shortfall: Option<DecimalText>,
    /// If this is a separately closed part, the number of the trade it was split from.
    part_of: Option<u32>,
    /// Candles from entry to exit, both included.
    candles_count: Option<u32>,
    /// Price of the stop-loss as set at the entry. Null if there was none.
    stop_price: Option<DecimalText>,
    /// Price of the take-profit as set at the entry. Null if there was none.
    target_price: Option<DecimalText>,
    /// How far the price moved against the trade while it was held, in percent of the entry price.
    max_adverse_percentage: Option<DecimalText>,
    /// How far the price moved in the trade's favor while it was held, in percent of the entry price.
    max_favorable_percentage: Option<DecimalText>,
    created_at: String,
}

impl From<TradeRow> for TradeResource {
    fn from(row: TradeRow) -> Self {
        Self {
            id: row.id.to_string(),
            backtest_id: row.backtest_id.to_string(),
            number: row.number,
            entry_time: time_text(row.entry_time),
            entry_price: row.entry_price.into(),
            exit_time: row.exit_time.map(time_text),
            exit_price: row.exit_price.map(DecimalText::from),
            quantity: row.quantity.into(),
            side: row.direction.as_str().to_owned(),
            pnl: row.pnl.map(DecimalText::from),
            pnl_percentage: row.pnl_percentage.map(DecimalText::from),
            fees: row.fees.into(),
            entry_reason: row.entry_reason,
            exit_reason: row.exit_reason,
            is_ambiguous: row.is_ambiguous,
            funding: row.funding.map(DecimalText::from),
            shortfall: row.shortfall.map(DecimalText::from),
            part_of: row.part_of,
            candles_count: row.candles_count,
            stop_price: row.stop_price.map(DecimalText::from),
            target_price: row.target_price.map(DecimalText::from),
            max_adverse_percentage: row.max_adverse.and_then(percent),
            max_favorable_percentage: row.max_favorable.and_then(percent),
            created_at: time_text(row.created_at),
        }
    }
}

fn percent(fraction: f64) -> Option<DecimalText> {
    DecimalText::of_real(fraction * 100.0)
}

/// Which trades a list shows.
pub(crate) struct TradeQuery {
    filter: TradeFilter,
    paging: Paging,
}

impl Input for TradeQuery {
    const NAME: &'static str = "TradeQuery";
    const FIELDS: &'static [Field] = &[
        field("side", Kind::OneOf(&["long", "short"]), "Filters by side."),
        field(
            "result",
            Kind::OneOf(&["win", "loss"]),
            "Filters by result. A trade with a pnl of 0 is neither a win nor a loss.",
        ),
        paging::PAGE,
        paging::LIMIT,
        paging::PER_PAGE,
        paging::CURSOR,
    ];

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let side = fields.one_of("side", &["long", "short"]);
        let direction =
            side.map(|side| if side == "long" { Direction::Long } else { Direction::Short });
        let result = fields.one_of("result", &["win", "loss"]);
        let result =
            result.map(|result| if result == "win" { TradeResult::Win } else { TradeResult::Loss });
        let filter = TradeFilter { direction, result };
        Some(Self { filter, paging: Paging::read(fields) })
    }
}

#[OpenApi(tag = "Chapter::Backtests")]
impl Trades {
    /// Lists the trades of a backtest in order of entry.
    #[oai(path = "/backtests/:id/trades", method = "get", operation_id = "listTrades")]
    async fn list(
        &self,
        caller: Caller,
        id: Path<String>,
        query: Query<TradeQuery>,
    ) -> Result<List<TradeResource>, ApiError> {
        let row = caller.backtest(&id.0).await?;
        let TradeQuery { filter, paging } = query.0;
        let page = caller.api.reads.trades(&row, filter, &paging.request()?).await?;
        Ok(List::of(&paging, page, TradeResource::from))
    }
}
