//! `/backtests/{id}/cancel`.

use poem_openapi::{OpenApi, param::Path};

use super::{TOUCHED, after_command, query::Include, resource::BacktestResource, show_one};
use crate::{
    http::{caller::Caller, error::ApiError, response::Item},
    lookup,
    rest::Chapter,
};

/// Ending a run early.
pub(crate) struct BacktestCancel;

#[OpenApi(tag = "Chapter::Backtests")]
impl BacktestCancel {
    /// Cancels a backtest. Waits up to a second for its executor and returns the current state.
    #[oai(path = "/backtests/:id/cancel", method = "post", operation_id = "cancelBacktest")]
    async fn cancel(
        &self,
        caller: Caller,
        id: Path<String>,
    ) -> Result<Item<BacktestResource>, ApiError> {
        let id = lookup::backtest_id(&id.0)?;
        let context = caller.action(&format!("POST /backtests/{id}/cancel"));
        let accepted = caller.api.commands.cancel_backtest(&context, id).await?;
        let receipt = caller.wait_for_write(&accepted, &TOUCHED).await;
        let row = after_command(&caller.api, id, receipt.is_pending).await?;
        Ok(receipt.apply(show_one(&caller, row, Include::default()).await?))
    }
}
