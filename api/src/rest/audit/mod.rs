//! `/events`: the events of the caller's own aggregates.

pub(crate) mod query;
pub(crate) mod resource;

use infra::postgres::event_store::Direction;
use poem::http::header;
use poem_openapi::OpenApi;

use self::{query::EventQuery, resource::EventResource};
use super::Chapter;
use crate::http::{
    caller::Caller,
    cursor::Cursor,
    error::ApiError,
    query::Query,
    response::{List, WithHeaders as _},
};

/// The events of the caller's own aggregates.
pub(crate) struct Events;

/// Returns a page of events; the filter must hold to those that the caller may read.
///
/// # Errors
/// The database.
pub(crate) async fn page(
    caller: &Caller,
    query: EventQuery,
) -> Result<List<EventResource>, ApiError> {
    let EventQuery { filter, paging } = query;
    let mut events = caller.api.store.read_filtered(&filter, paging.limit() + 1).await?;
    let shown = usize::try_from(paging.limit()).unwrap_or(usize::MAX);
    let is_full = events.len() > shown;
    events.truncate(shown);
    let next = events.last().filter(|_| is_full).map(|event| Cursor::Event(event.position));
    let rows = events.into_iter().map(EventResource::new).collect::<Result<_, _>>()?;
    let list = List::new(&paging, rows, None, next);
    // Events never change, and a full page that reads forward never does either.
    Ok(match (is_full, filter.direction) {
        (true, Direction::Forward) => {
            list.with_header(header::CACHE_CONTROL, "private, max-age=31536000, immutable")
        }
        (_, Direction::Forward | Direction::Backward) => list,
    })
}

#[OpenApi(tag = "Chapter::Events")]
impl Events {
    /// Lists the events of your own strategies, backtests, ledgers and sweeps.
    #[oai(path = "/events", method = "get", operation_id = "listEvents")]
    async fn list(
        &self,
        caller: Caller,
        query: Query<EventQuery>,
    ) -> Result<List<EventResource>, ApiError> {
        let mut query = query.0;
        query.filter.owner_id = Some(caller.user.id);
        page(&caller, query).await
    }
}
