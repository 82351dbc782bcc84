//! `/sweeps/{id}/events`: what happened to a sweep.

use poem_openapi::{OpenApi, param::Path};

use crate::{
    http::{caller::Caller, error::ApiError, query::Query, response::List},
    rest::{
        Chapter,
        audit::{self, query::StreamEventQuery, resource::EventResource},
    },
};

/// What happened to a sweep.
pub(crate) struct SweepEvents;

#[OpenApi(tag = "Chapter::Events")]
impl SweepEvents {
    /// Lists the events of a sweep.
    #[oai(path = "/sweeps/:id/events", method = "get", operation_id = "listSweepEvents")]
    async fn list(
        &self,
        caller: Caller,
        id: Path<String>,
        query: Query<StreamEventQuery>,
    ) -> Result<List<EventResource>, ApiError> {
        let row = caller.sweep(&id.0).await?;
        audit::page(&caller, query.0.of(row.id.to_string())).await
    }
}
