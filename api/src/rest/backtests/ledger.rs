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
            timestamp: time_text(row.timestamp),
            reason: row.reason,
        }
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
        let row = caller.backtest(&id.0).await?;
        let page = caller.api.reads.ledger(&row, &query.0.request()?).await?;
        Ok(List::of(&query.0, page, EntryResource::from))
    }
}
