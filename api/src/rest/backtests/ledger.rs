//! `/backtests/{id}/ledger`: the fills of a run.

use poem_openapi::{Object, OpenApi, param::Path};
use projections::ledger::LedgerRow;
use serde::Serialize;

use crate::{
    http::{
        caller::Caller,
        error::ApiError,
        paging::Paging,
        query::Query,
        response::List,
        values::{DecimalText, time_text},
    },
    rest::Chapter,
};

/// The fills of a run.
pub(crate) struct Ledger;

/// A fill: one execution.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "LedgerEntry")]
pub(crate) struct EntryResource {
    id: String,
    /// Counts from 1 without gaps.
    sequence: u32,
    trade_id: String,
    /// `buy` or `sell`.
    side: String,
    price: DecimalText,
    quantity: DecimalText,
    fee: DecimalText,
    cash_after: DecimalText,
    /// Profit net of both fees. Null for an entry.
    profit: Option<DecimalText>,
    /// Funding settled with the exit: positive if received, negative if paid. Null if there was none.
    funding: Option<DecimalText>,
    /// What the exit lost beyond all cash, for example in a liquidation. 0 or more, and not included in `profit`. Null for an
    /// entry, or if an older version did not record it.
    shortfall: Option<DecimalText>,
    timestamp: String,
    /// The rule that triggered it, or `stop_loss`, `take_profit`, `trailing_stop`, `break_even`, `time_stop`,
    /// `liquidation` or `end_of_data`.
    reason: String,
}

impl From<LedgerRow> for EntryResource {
    fn from(row: LedgerRow) -> Self {
        Self {
            id: row.id.to_string(),
            sequence: row.sequence,
            trade_id: row.trade_id.to_string(),
            side: row.side.as_str().to_owned(),
            price: row.price.into(),
            quantity: row.quantity.into(),
            fee: row.fee.into(),
            cash_after: row.cash_after.into(),
            profit: row.profit.map(DecimalText::from),
            funding: row.funding.map(DecimalText::from),
            shortfall: row.shortfall.map(DecimalText::from),
            timestamp: time_text(row.timestamp),
            reason: row.reason,
        }
    }
}

#[OpenApi(tag = "Chapter::Backtests")]
impl Ledger {
    /// Lists the fills of a backtest in order.
    #[oai(path = "/backtests/:id/ledger", method = "get", operation_id = "listLedger")]
    async fn list(
        &self,
        caller: Caller,
        id: Path<String>,
        query: Query<Paging>,
    ) -> Result<List<EntryResource>, ApiError> {
        let row = caller.backtest(&id.0).await?;
        let page = caller.api.reads.ledger(&row, &query.0.request()?).await?;
        Ok(List::of(&query.0, page, EntryResource::from))
    }
}
