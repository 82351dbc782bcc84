//! `/strategies`: the caller's own, public ones and built-ins.

pub(crate) mod body;
mod catalog;
mod query;
pub(crate) mod resource;
mod validate;
mod versions;

use commands::StrategyDraft;
use domain::{
    ids::StrategyId,
    strategy::{Builtin, LiveStrategy},
};
use poem::http::header;
use poem_openapi::{OpenApi, param::Path};
use projections::{
    page::{PageRequest, Total},
    strategies::{self, StrategyFilter, StrategyRow, StrategyScope},
    strategy_versions,
};
use serde_json::{Map, Value};

use self::{
    body::{AnyObject, StrategyBody, body_of, merge},
    query::StrategyQuery,
    resource::StrategyResource,
};
use super::Chapter;
use crate::{
    context::Context,
    http::{
        caller::Caller,
        cursor::Cursor,
        error::ApiError,
        fields,
        json::ValidJson,
        query::Query,
        read_your_writes::{WriteReceipt, row_after_command},
        response::{Item, List, NoContent, WithHeaders as _},
    },
    lookup::FoundStrategy,
};

/// How often a merge patch is tried while others change the strategy. Each failed try means that another change got through.
const PATCH_TRIES_MAX: usize = 32;
const TOUCHED: [&str; 3] = [strategies::NAME, strategy_versions::NAME, projections::streams::NAME];

/// One's own, public ones and built-ins.
pub(crate) struct Strategies;

/// The resources of this chapter.
pub(crate) fn api() -> impl OpenApi {
    (Strategies, versions::Versions, catalog::Catalog, validate::Validate)
}

/// The stored strategies of a page and, after the last of them, the built-ins.
async fn list(
    caller: &Caller,
    query: &StrategyQuery,
    scope: Option<StrategyScope>,
    builtins: &[&'static Builtin],
) -> Result<List<StrategyResource>, ApiError> {
    let of_builtins = |from: usize, room: usize| {
        let rest = builtins.iter().skip(from).take(room);
        rest.map(|builtin| StrategyResource::from(*builtin)).collect::<Vec<_>>()
    };
    let limit = usize::try_from(query.paging.limit()).unwrap_or(usize::MAX);
    let next_of = |shown: usize| (shown < builtins.len()).then_some(Cursor::Builtins(shown));
    if let Some(Cursor::Builtins(from)) = query.paging.cursor() {
        let from = *from;
        let rows = of_builtins(from, limit);
        let next = next_of(from.saturating_add(rows.len()));
        return Ok(List::new(&query.paging, rows, None, next));
    }
    let request = query.paging.request()?;
    let (mut rows, stored, next) = match scope {
        Some(scope) => {
            let (is_active, search) = (query.is_active, query.search.clone());
            let filter = StrategyFilter { scope, is_active, search };
            let (sort, descending) = query.sort();
            let reads = &caller.api.reads;
            let page = reads.list_strategies(&filter, sort, descending, &request).await?;
            let rows: Vec<_> = page.rows.into_iter().map(StrategyResource::from).collect();
            (rows, page.total.unwrap_or(Total::exact(0)), page.next_cursor.map(Cursor::Row))
        }
        None => (Vec::new(), Total::exact(0), None),
    };
    let more = i64::try_from(builtins.len()).unwrap_or(i64::MAX);
    let total = Total { count: stored.count.saturating_add(more), ..stored };
    if next.is_some() {
        return Ok(List::new(&query.paging, rows, Some(total), next));
    }
    let before = match request {
        PageRequest::Number { page, limit } => (page - 1).saturating_mul(limit) - stored.count,
        PageRequest::Cursor { .. } => 0,
    };
    let before = usize::try_from(before.max(0)).unwrap_or(usize::MAX);
    let more = of_builtins(before, limit.saturating_sub(rows.len()));
    let next = next_of(before.saturating_add(more.len()));
    rows.extend(more);
    Ok(List::new(&query.paging, rows, Some(total), next))
}

/// The strategy as a command left it.
async fn after_command(
    api: &Context,
    id: StrategyId,
    is_behind: bool,
) -> Result<StrategyRow, ApiError> {
    let (id, stored) = (id.to_string(), api.reads.strategy(id));
    row_after_command(api, "strategy", &id, is_behind, stored, StrategyRow::of_events).await
}

#[OpenApi(tag = "Chapter::Strategies")]
impl Strategies {
    /// Lists strategies.
    #[oai(path = "/strategies", method = "get", operation_id = "listStrategies")]
    async fn list(
        &self,
        caller: Caller,
        query: Query<StrategyQuery>,
    ) -> Result<List<StrategyResource>, ApiError> {
        let query = query.0;
        let me = caller.user.id;
        let (scope, with_builtins) = match query.scope {
            Some("public") => (Some(StrategyScope::Public), false),
            Some("builtin") => (None, true),
            Some("all") => (Some(StrategyScope::All(me)), true),
            Some(_) => (Some(StrategyScope::Mine(me)), false),
            None => (Some(StrategyScope::Mine(me)), !caller.headers.is_alias),
        };
        let builtins = if with_builtins { query.builtins() } else { Vec::new() };
        list(&caller, &query, scope, &builtins).await
    }

    /// Creates a strategy.
    #[oai(path = "/strategies", method = "post", operation_id = "createStrategy")]
    async fn create(
        &self,
        caller: Caller,
        body: ValidJson<StrategyBody>,
    ) -> Result<Item<StrategyResource, 201>, ApiError> {
        let context = caller.post("POST /strategies", &body.hash);
        let accepted = caller.api.commands.create_strategy(&context, body.value.draft).await?;
        let receipt = caller.wait_for_write(&accepted, &TOUCHED).await;
        let row = after_command(&caller.api, accepted.value, receipt.is_pending).await?;
        let location = format!("{}/strategies/{}", caller.headers.prefix(), row.id);
        let etag = row.sequence.to_string();
        let item = Item::new(row.into()).with_etag(&etag);
        Ok(receipt.apply(item.with_header(header::LOCATION, &location)))
    }

    /// Returns a strategy by id, by the slug of one of your own, or by the slug of a built-in.
    #[oai(path = "/strategies/:id", method = "get", operation_id = "getStrategy")]
    async fn get(
        &self,
        caller: Caller,
        id: Path<String>,
    ) -> Result<Item<StrategyResource>, ApiError> {
        Ok(match caller.strategy(&id.0).await? {
            FoundStrategy::Stored(row) => {
                let etag = row.sequence.to_string();
                Item::new(StrategyResource::from(*row)).with_etag(&etag)
            }
            // Not cacheable: a strategy of the user may take the slug over.
            FoundStrategy::Builtin(builtin) => Item::new(builtin.into()),
        })
    }

    /// Replaces a strategy.
    #[oai(path = "/strategies/:id", method = "put", operation_id = "replaceStrategy")]
    async fn replace(
        &self,
        caller: Caller,
        id: Path<String>,
        body: ValidJson<StrategyBody>,
    ) -> Result<Item<StrategyResource>, ApiError> {
        let id = caller.writable_strategy_id(&id.0).await?;
        let (live, _) = caller.writable_strategy(id).await?;
        body.value.check_identity(id, &live)?;
        let (context, draft) = (caller.command(), body.value.draft);
        let accepted = caller.api.commands.revise_strategy(&context, id, draft).await?;
        let receipt = caller.wait_for_write(&accepted, &TOUCHED).await;
        revised(&caller, id, receipt).await
    }

    /// Updates a strategy with a JSON merge patch.
    #[oai(path = "/strategies/:id", method = "patch", operation_id = "updateStrategy")]
    async fn update(
        &self,
        caller: Caller,
        id: Path<String>,
        body: ValidJson<AnyObject>,
    ) -> Result<Item<StrategyResource>, ApiError> {
        let id = caller.writable_strategy_id(&id.0).await?;
        let patch = body.value.0;
        for _ in 0..PATCH_TRIES_MAX {
            let (live, sequence) = caller.writable_strategy(id).await?;
            let draft = patched(id, &live, patch.clone())?;
            let mut context = caller.command();
            let is_conditional = context.expected_sequences.is_some();
            context.expected_sequences.get_or_insert(vec![sequence]);
            match caller.api.commands.revise_strategy(&context, id, draft).await {
                Ok(accepted) => {
                    let receipt = caller.wait_for_write(&accepted, &TOUCHED).await;
                    return revised(&caller, id, receipt).await;
                }
                Err(commands::CommandError::PreconditionFailed { .. }) if !is_conditional => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(commands::CommandError::Conflict("strategy").into())
    }

    /// Deletes a strategy. Its backtests are kept.
    #[oai(path = "/strategies/:id", method = "delete", operation_id = "deleteStrategy")]
    async fn delete(&self, caller: Caller, id: Path<String>) -> Result<NoContent, ApiError> {
        let id = caller.writable_strategy_id(&id.0).await?;
        let accepted = caller.api.commands.delete_strategy(&caller.command(), id).await?;
        let receipt = caller.wait_for_write(&accepted, &TOUCHED).await;
        Ok(receipt.apply(NoContent::default()))
    }
}

fn patched(
    id: StrategyId,
    live: &LiveStrategy,
    patch: Map<String, Value>,
) -> Result<StrategyDraft, ApiError> {
    let LiveStrategy { content, is_active, is_public, .. } = live.clone();
    let mut body = body_of(&StrategyDraft { content, is_active, is_public });
    merge(&mut body, patch);
    let body = fields::read::<StrategyBody>(&body, false)?;
    body.check_identity(id, live)?;
    Ok(body.draft)
}

async fn revised(
    caller: &Caller,
    id: StrategyId,
    receipt: WriteReceipt,
) -> Result<Item<StrategyResource>, ApiError> {
    let row = after_command(&caller.api, id, receipt.is_pending).await?;
    let etag = row.sequence.to_string();
    Ok(receipt.apply(Item::new(row.into()).with_etag(&etag)))
}
