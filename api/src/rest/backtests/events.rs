//! `/backtests/{id}/events`: what happened to a run.

use poem_openapi::{OpenApi, param::Path};

use crate::{
    http::{caller::Caller, error::ApiError, query::Query, response::List},
    rest::{
        Chapter,
        audit::{self, query::StreamEventQuery, resource::EventResource},
    },
};

/// What happened to a run.
pub(crate) struct BacktestEvents;

#[OpenApi(tag = "Chapter::Events")]
impl BacktestEvents {
    /// Lists the events of a backtest: its lifecycle and its ledger.
    #[oai(path = "/backtests/:id/events", method = "get", operation_id = "listBacktestEvents")]
    async fn list(
        &self,
        caller: Caller,
        id: Path<String>,
        query: Query<StreamEventQuery>,
    ) -> Result<List<EventResource>, ApiError> {
        let row = caller.backtest(&id.0).await?;
        audit::page(&caller, query.0.of(row.id.to_string())).await
    }
}
