//! `/strategies`: one's own, public ones and built-ins.

pub(crate) mod body;
pub(crate) mod catalog;

use commands::StrategyDraft;
use domain::{
    access::{self, Access, Ownership},
    ids::StrategyId,
    strategy::{Builtin, LiveStrategy, Strategy, builtins},
};
use poem::http::header;
use poem_openapi::{OpenApi, param::Path};
use projections::{
    page::PageRequest,
    strategies::{self, StrategyFilter, StrategyRow, StrategyScope, StrategySort},
    strategy_versions,
};

use self::body::{AnyObject, StrategyBody, StrategyResource, VersionResource, body_of, merge};
use super::Chapter;
use crate::{
    Context,
    http::{
        caller::Caller,
        error::ApiError,
        fields::{self, Field, Fields, Input, Kind, field},
        json::ValidJson,
        query::{self, Paging, Query},
        read_your_writes::{Settled, row_after_command},
        response::{Item, List, NoContent, WithHeaders as _},
    },
};

/// How often a merge patch is tried while others change the strategy.
const PATCH_TRIES_MAX: usize = 3;
const TOUCHED: [&str; 3] = [strategies::NAME, strategy_versions::NAME, projections::streams::NAME];
const SCOPES: &[&str] = &["mine", "public", "builtin", "all"];
const SORTS: &[&str] = &["created_at", "-created_at", "name", "-name"];

/// One's own, public ones and built-ins.
pub(crate) struct Strategies;

/// The resources of this chapter.
pub(crate) fn api() -> impl OpenApi {
    (Strategies, catalog::StrategyCatalog)
}

/// A strategy that may be read.
pub(crate) enum Found {
    Stored(Box<StrategyRow>),
    Builtin(&'static Builtin),
}

/// Finds by id, by one's own slug, by a built-in's slug, and checks that the caller may read it.
///
/// # Errors
/// 404, 403.
pub(crate) async fn find(caller: &Caller, text: &str) -> Result<Found, ApiError> {
    let reads = &caller.api.reads;
    let id = text.parse::<StrategyId>().ok();
    let stored = match id {
        Some(id) => reads.strategy(id).await?,
        None => match reads.strategy_by_slug(caller.user.id, text).await? {
            Some(row) => Some(row),
            // By id, a miss waits for the read model.
            None => match caller.api.commands.strategy_with_slug(caller.user.id, text).await? {
                Some(id) => reads.strategy(id).await?,
                None => None,
            },
        },
    };
    if let Some(row) = stored {
        let ownership = Ownership { owner_id: Some(row.owner_id), is_public: row.is_public };
        access::check(&caller.actor(), Access::Read, ownership)?;
        return Ok(Found::Stored(Box::new(row)));
    }
    let builtin = id.map_or_else(|| builtins::find_by_slug(text), builtins::find_by_id);
    builtin.map(Found::Builtin).ok_or_else(|| ApiError::not_found("strategy"))
}

/// The id that `text` is, or that of the strategy with that slug.
///
/// # Errors
/// 404, 403.
pub(crate) async fn id_of(caller: &Caller, text: &str) -> Result<StrategyId, ApiError> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    Ok(match find(caller, text).await? {
        Found::Stored(row) => row.id,
        Found::Builtin(builtin) => builtin.id(),
    })
}

/// The id of a strategy that is to be changed.
async fn writable(caller: &Caller, text: &str) -> Result<StrategyId, ApiError> {
    match text.parse::<StrategyId>() {
        // The command itself checks ownership, and knows what no read model has yet.
        Ok(id) if builtins::find_by_id(id).is_none() => Ok(id),
        _ => match find(caller, text).await? {
            Found::Stored(row) => Ok(row.id),
            Found::Builtin(_) => Err(ApiError::forbidden()),
        },
    }
}

/// Which strategies a list shows.
pub(crate) struct StrategyQuery {
    scope: Option<&'static str>,
    is_active: Option<bool>,
    search: Option<String>,
    sort: &'static str,
    paging: Paging,
}

impl Input for StrategyQuery {
    const NAME: &'static str = "StrategyQuery";
    const FIELDS: &'static [Field] = &[
        field(
            "scope",
            Kind::OneOf(SCOPES),
            "Unless told: `mine` and the built-ins under /api/v1, `mine` under /api.",
        ),
        field("is_active", Kind::Boolean, "Only those that are, or are not."),
        field("search", Kind::Text, "A part of name or description, in any case."),
        field("sort", Kind::OneOf(SORTS), "`-created_at` unless told."),
        query::PAGE,
        query::LIMIT,
        query::PER_PAGE,
        query::CURSOR,
    ];

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self {
            scope: fields.one_of("scope", SCOPES),
            is_active: fields.boolean("is_active"),
            search: fields.text(&["search"], 200),
            sort: fields.one_of("sort", SORTS).unwrap_or("-created_at"),
            paging: Paging::read(fields),
        })
    }
}

impl StrategyQuery {
    fn builtins(&self) -> Vec<&'static Builtin> {
        let search = self.search.as_ref().map(|search| search.to_lowercase());
        let fits = |builtin: &&Builtin| {
            let text = format!("{} {}", builtin.title, builtin.description).to_lowercase();
            self.is_active != Some(false)
                && search.as_ref().is_none_or(|search| text.contains(search))
        };
        builtins::ALL.iter().copied().filter(fits).collect()
    }

    fn sort(&self) -> StrategySort {
        if self.sort.ends_with("name") { StrategySort::Name } else { StrategySort::CreatedAt }
    }
}

/// The stored strategies of a page and, after the last of them, the built-ins.
async fn list(
    caller: &Caller,
    query: &StrategyQuery,
    scope: Option<StrategyScope>,
    builtins: &[&'static Builtin],
) -> Result<List<StrategyResource>, ApiError> {
    const BUILTINS: &str = "builtins-";
    let request = query.paging.request();
    let of_builtins = |from: usize, room: usize| {
        let rest = builtins.iter().skip(from).take(room);
        rest.map(|builtin| StrategyResource::from(*builtin)).collect::<Vec<_>>()
    };
    let limit = usize::try_from(query.paging.limit()).unwrap_or(usize::MAX);
    let next_of = |shown: usize| (shown < builtins.len()).then(|| format!("{BUILTINS}{shown}"));
    if let Some(from) = query.paging.cursor().and_then(|cursor| cursor.strip_prefix(BUILTINS)) {
        let from = from.parse().map_err(|_| projections::QueryError::BadCursor)?;
        let rows = of_builtins(from, limit);
        let next = next_of(from.saturating_add(rows.len()));
        return Ok(List::new(&query.paging, rows, None, next));
    }
    let (mut rows, stored, next) = match scope {
        Some(scope) => {
            let (is_active, search) = (query.is_active, query.search.clone());
            let filter = StrategyFilter { scope, is_active, search };
            let descending = query.sort.starts_with('-');
            let page =
                caller.api.reads.list_strategies(&filter, query.sort(), descending, &request);
            let page = page.await?;
            let rows: Vec<_> = page.rows.into_iter().map(StrategyResource::from).collect();
            (rows, page.total.unwrap_or(0), page.next_cursor)
        }
        None => (Vec::new(), 0, None),
    };
    if next.is_some() {
        let total = stored + i64::try_from(builtins.len()).unwrap_or(i64::MAX);
        return Ok(List::new(&query.paging, rows, Some(total), next));
    }
    let before = match request {
        PageRequest::Number { page, limit } => (page - 1).saturating_mul(limit) - stored,
        PageRequest::Cursor { .. } => 0,
    };
    let before = usize::try_from(before.max(0)).unwrap_or(usize::MAX);
    let more = of_builtins(before, limit.saturating_sub(rows.len()));
    let next = next_of(before.saturating_add(more.len()));
    rows.extend(more);
    let total = stored + i64::try_from(builtins.len()).unwrap_or(i64::MAX);
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
        let context = caller.creation("POST /strategies", &body);
        let accepted = caller.api.commands.create_strategy(&context, body.value.0).await?;
        let settled = caller.settle(&accepted, &TOUCHED).await;
        let row = after_command(&caller.api, accepted.value, settled.is_pending).await?;
        let location = format!("{}/strategies/{}", caller.headers.prefix(), row.id);
        let etag = row.sequence.to_string();
        let item = Item::new(row.into()).with_etag(&etag);
        Ok(settled.mark(item.with_header(header::LOCATION, &location)))
    }

    /// A strategy by id, by one's own slug, or by a built-in's slug.
    #[oai(path = "/strategies/:id", method = "get", operation_id = "getStrategy")]
    async fn get(
        &self,
        caller: Caller,
        id: Path<String>,
    ) -> Result<Item<StrategyResource>, ApiError> {
        Ok(match find(&caller, &id.0).await? {
            Found::Stored(row) => {
                let etag = row.sequence.to_string();
                Item::new(StrategyResource::from(*row)).with_etag(&etag)
            }
            // Not for anyone to keep: a strategy of one's own takes the slug over.
            Found::Builtin(builtin) => Item::new(builtin.into()),
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
        let id = writable(&caller, &id.0).await?;
        let context = caller.command();
        let accepted = caller.api.commands.revise_strategy(&context, id, body.value.0).await?;
        let settled = caller.settle(&accepted, &TOUCHED).await;
        revised(&caller, id, settled).await
    }

    /// Changes a strategy by JSON merge patch.
    #[oai(path = "/strategies/:id", method = "patch", operation_id = "updateStrategy")]
    async fn update(
        &self,
        caller: Caller,
        id: Path<String>,
        body: ValidJson<AnyObject>,
    ) -> Result<Item<StrategyResource>, ApiError> {
        let id = writable(&caller, &id.0).await?;
        let patch = body.value.0;
        for _ in 0..PATCH_TRIES_MAX {
            let loaded = caller.api.store.load::<Strategy>(&id.to_string()).await?;
            let draft = patched(&caller, loaded.aggregate.live, patch.clone())?;
            let mut context = caller.command();
            let is_conditional = context.expected_sequence.is_some();
            context.expected_sequence.get_or_insert(loaded.sequence);
            match caller.api.commands.revise_strategy(&context, id, draft).await {
                Ok(accepted) => {
                    let settled = caller.settle(&accepted, &TOUCHED).await;
                    return revised(&caller, id, settled).await;
                }
                Err(commands::CommandError::PreconditionFailed { .. }) if !is_conditional => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(commands::CommandError::Conflict("strategy").into())
    }

    /// Deletes a strategy; its runs stay.
    #[oai(path = "/strategies/:id", method = "delete", operation_id = "deleteStrategy")]
    async fn delete(&self, caller: Caller, id: Path<String>) -> Result<NoContent, ApiError> {
        let id = writable(&caller, &id.0).await?;
        let accepted = caller.api.commands.delete_strategy(&caller.command(), id).await?;
        let settled = caller.settle(&accepted, &TOUCHED).await;
        Ok(settled.mark(NoContent::default()))
    }

    /// Lists the versions of a strategy, newest first.
    #[oai(path = "/strategies/:id/versions", method = "get", operation_id = "listStrategyVersions")]
    async fn versions(
        &self,
        caller: Caller,
        id: Path<String>,
        query: Query<Paging>,
    ) -> Result<List<VersionResource>, ApiError> {
        match find(&caller, &id.0).await? {
            Found::Stored(row) => {
                let request = query.0.request();
                let page = caller.api.reads.strategy_versions(row.id, &request).await?;
                Ok(List::of(&query.0, page, VersionResource::from))
            }
            Found::Builtin(builtin) => Ok(List::whole(vec![builtin.into()])),
        }
    }
}

fn patched(
    caller: &Caller,
    live: Option<LiveStrategy>,
    patch: serde_json::Map<String, serde_json::Value>,
) -> Result<StrategyDraft, ApiError> {
    let live = live.ok_or_else(|| ApiError::not_found("strategy"))?;
    let ownership = Ownership { owner_id: Some(live.owner_id), is_public: live.is_public };
    access::check(&caller.actor(), Access::Write, ownership)?;
    let LiveStrategy { content, is_active, is_public, .. } = live;
    let mut body = body_of(&StrategyDraft { content, is_active, is_public });
    merge(&mut body, patch);
    Ok(fields::read::<StrategyBody>(&body, false)?.0)
}

async fn revised(
    caller: &Caller,
    id: StrategyId,
    settled: Settled,
) -> Result<Item<StrategyResource>, ApiError> {
    let row = after_command(&caller.api, id, settled.is_pending).await?;
    let etag = row.sequence.to_string();
    Ok(settled.mark(Item::new(row.into()).with_etag(&etag)))
}
