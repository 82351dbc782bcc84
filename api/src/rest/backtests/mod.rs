//! `/backtests`: asking for runs, watching and ending them.

pub(crate) mod body;
pub(crate) mod ledger;
pub(crate) mod lttb;
pub(crate) mod metrics;
pub(crate) mod query;
pub(crate) mod resource;
pub(crate) mod trades;

use commands::CommandError;
use domain::{
    access::{self, Access, Ownership},
    backtest::Backtest,
    ids::{BacktestId, StrategyId},
    market::Symbol,
    strategy::builtins,
};
use poem::http::{StatusCode, header};
use poem_openapi::{OpenApi, param::Path};
use projections::backtests::{self, BacktestFilter, BacktestRow};

use self::{
    body::BacktestBody,
    metrics::MetricsResource,
    query::{BacktestQuery, Include},
    resource::{BacktestResource, progress},
};
use super::{
    Chapter,
    strategies::{self, body::StrategyResource},
};
use crate::{
    Context,
    http::{
        caller::Caller,
        error::ApiError,
        json::ValidJson,
        query::Query,
        read_your_writes::{Settled, row_after_command},
        response::{Item, List, NoContent, WithHeaders as _},
    },
};

pub(crate) const TOUCHED: [&str; 2] = [backtests::NAME, projections::streams::NAME];

/// Asking for runs, watching and ending them.
pub(crate) struct Backtests;

/// The resources of this chapter.
pub(crate) fn api() -> impl OpenApi {
    (Backtests, metrics::BacktestMetrics, trades::Trades, ledger::Ledger)
}

/// The backtest of that id, which the caller may read.
///
/// # Errors
/// 404, 403.
pub(crate) async fn find(caller: &Caller, text: &str) -> Result<BacktestRow, ApiError> {
    let row = caller.api.reads.backtest(parse_id(text)?).await?;
    let row = row.ok_or_else(|| ApiError::not_found("backtest"))?;
    let ownership = Ownership { owner_id: Some(row.run.owner_id), is_public: false };
    access::check(&caller.actor(), Access::Read, ownership)?;
    Ok(row)
}

/// 404: there is no result yet, or there never will be.
pub(crate) fn not_completed(row: &BacktestRow) -> ApiError {
    let status = row.status.as_str();
    let message = format!("The backtest is {status}; only a completed one has metrics.");
    ApiError::new(StatusCode::NOT_FOUND, "not_completed", message)
}

fn parse_id(text: &str) -> Result<BacktestId, ApiError> {
    text.parse().map_err(|_| ApiError::not_found("backtest"))
}

/// The rows as they are shown, with what is to be included.
async fn show(
    caller: &Caller,
    rows: Vec<BacktestRow>,
    include: Include,
) -> Result<Vec<BacktestResource>, ApiError> {
    let api = &caller.api;
    let progress = progress(api, &rows).await?;
    let ids: Vec<StrategyId> = rows.iter().map(|row| row.run.strategy_id).collect();
    let strategies = match include.strategy {
        true => api.reads.strategies_by_ids(&ids).await?,
        false => Vec::new(),
    };
    let show = |row: BacktestRow| {
        let percent = progress.get(&row.id).copied().unwrap_or(0);
        let metrics = if include.metrics { MetricsResource::of(&row) } else { None };
        let strategy = if include.strategy {
            let stored = strategies.iter().find(|strategy| strategy.id == row.run.strategy_id);
            // A public strategy may have become private since.
            let readable = stored.filter(|strategy| {
                let (owner_id, is_public) = (Some(strategy.owner_id), strategy.is_public);
                let ownership = Ownership { owner_id, is_public };
                access::check(&caller.actor(), Access::Read, ownership).is_ok()
            });
            let builtin = builtins::find_by_id(row.run.strategy_id).map(StrategyResource::from);
            readable.map(|strategy| strategy.clone().into()).or(builtin)
        } else {
            None
        };
        let mut shown = BacktestResource::new(row, percent);
        (shown.metrics, shown.strategy) = (metrics, strategy);
        shown
    };
    Ok(rows.into_iter().map(show).collect())
}

/// One row as it is shown.
pub(crate) async fn show_one(
    caller: &Caller,
    row: BacktestRow,
    include: Include,
) -> Result<BacktestResource, ApiError> {
    let mut shown = show(caller, vec![row], include).await?;
    shown.pop().ok_or_else(|| ApiError::internal("a row is shown as none"))
}

/// Changes with everything that is shown: the aggregate's sequence and, while it runs, its progress.
pub(crate) async fn etag(api: &Context, row: &BacktestRow) -> Result<String, ApiError> {
    let far = progress(api, std::slice::from_ref(row)).await?;
    let sequence = row.sequence;
    Ok(match far.get(&row.id) {
        Some(percent) if !row.status.is_final() => format!("{sequence}-{percent}"),
        _ => sequence.to_string(),
    })
}

/// The backtest as a command left it.
async fn after_command(
    api: &Context,
    id: BacktestId,
    is_behind: bool,
) -> Result<BacktestRow, ApiError> {
    let (id, stored) = (id.to_string(), api.reads.backtest(id));
    row_after_command(api, "backtest", &id, is_behind, stored, BacktestRow::of_events).await
}

/// The answer to a request of a run: 202; 201 if it ended while the caller wanted to wait.
pub(crate) async fn requested(
    caller: &Caller,
    id: BacktestId,
    settled: Settled,
) -> Result<Item<BacktestResource, 202>, ApiError> {
    let has_ended = caller.sees_end_of::<Backtest>(&id.to_string(), &TOUCHED).await?;
    let row = after_command(&caller.api, id, settled.is_pending && !has_ended).await?;
    let etag = etag(&caller.api, &row).await?;
    let location = format!("{}/backtests/{id}", caller.headers.prefix());
    let shown = show_one(caller, row, Include::default()).await?;
    let item = Item::new(shown).with_etag(&etag).with_header(header::LOCATION, &location);
    let item = if has_ended { item.with_status(StatusCode::CREATED) } else { item };
    Ok(settled.mark(item))
}

async fn filter(caller: &Caller, query: &BacktestQuery) -> Result<BacktestFilter, ApiError> {
    let [created_at, completed_at, start_time, end_time] = query.times;
    let mut filter = BacktestFilter {
        owner_id: Some(caller.user.id),
        status: query.status,
        timeframe: query.timeframe,
        metrics: query.metrics.clone(),
        created_at,
        completed_at,
        start_time,
        end_time,
        ..BacktestFilter::default()
    };
    filter.strategy_id = match query.strategy.as_deref() {
        None => None,
        Some(text) => Some(strategies::id_of(caller, text).await?),
    };
    filter.asset_symbol = query.asset.as_ref().map(|asset| asset.to_ascii_uppercase());
    if let Some(text) = &query.symbol {
        let symbol: Symbol =
            text.parse().map_err(|error| ApiError::invalid_field("symbol", format!("{error}.")))?;
        match caller.api.markets.get(&symbol).await? {
            Some(market) => filter.symbol = Some(market.symbol),
            None if filter.asset_symbol.as_deref().is_none_or(|asset| asset == symbol.as_str()) => {
                filter.asset_symbol = Some(symbol.as_str().to_owned());
            }
            None => filter.symbol = Some(symbol),
        }
    }
    Ok(filter)
}

#[OpenApi(tag = "Chapter::Backtests")]
impl Backtests {
    /// Lists one's own backtests.
    #[oai(path = "/backtests", method = "get", operation_id = "listBacktests")]
    async fn list(
        &self,
        caller: Caller,
        query: Query<BacktestQuery>,
    ) -> Result<List<BacktestResource>, ApiError> {
        let query = query.0;
        let filter = filter(&caller, &query).await?;
        let request = query.paging.request();
        let reads = &caller.api.reads;
        let page = reads.list_backtests(&filter, query.sort, query.descending, &request).await?;
        let rows = show(&caller, page.rows, query.include).await?;
        Ok(List::new(&query.paging, rows, page.total, page.next_cursor))
    }

    /// Asks for a run. 202; with `Prefer: wait=N` and a run that ended by then, 201.
    #[oai(path = "/backtests", method = "post", operation_id = "createBacktest")]
    async fn create(
        &self,
        caller: Caller,
        body: ValidJson<BacktestBody>,
    ) -> Result<Item<BacktestResource, 202>, ApiError> {
        let context = caller.creation("POST /backtests", &body);
        let commands = &caller.api.commands;
        let body = body.value;
        if !body.errors.is_empty() {
            let found = match commands.check_backtest(&caller.actor(), &body.draft).await {
                Ok(_) => Vec::new(),
                Err(CommandError::Invalid(found)) => found,
                Err(other) => return Err(other.into()),
            };
            return Err(ApiError::invalid(body.all_errors(found)));
        }
        let accepted = commands.request_backtest(&context, &body.draft).await?;
        let settled = caller.settle(&accepted, &TOUCHED).await;
        requested(&caller, accepted.value, settled).await
    }

    /// A backtest with its progress and, once completed, its performance in brief.
    #[oai(path = "/backtests/:id", method = "get", operation_id = "getBacktest")]
    async fn get(
        &self,
        caller: Caller,
        id: Path<String>,
        query: Query<Include>,
    ) -> Result<Item<BacktestResource>, ApiError> {
        let row = find(&caller, &id.0).await?;
        let etag = if query.is_own() { Some(etag(&caller.api, &row).await?) } else { None };
        let item = Item::new(show_one(&caller, row, query.0).await?);
        Ok(match etag {
            Some(etag) => item.with_etag(&etag),
            None => item,
        })
    }

    /// Deletes a backtest in any state; a run is stopped.
    #[oai(path = "/backtests/:id", method = "delete", operation_id = "deleteBacktest")]
    async fn delete(&self, caller: Caller, id: Path<String>) -> Result<NoContent, ApiError> {
        let id = parse_id(&id.0)?;
        let accepted = caller.api.commands.delete_backtest(&caller.command(), id).await?;
        let settled = caller.settle(&accepted, &TOUCHED).await;
        Ok(settled.mark(NoContent::default()))
    }

    /// Cancels a run: waits up to a second for its executor and answers where it stands.
    #[oai(path = "/backtests/:id/cancel", method = "post", operation_id = "cancelBacktest")]
    async fn cancel(
        &self,
        caller: Caller,
        id: Path<String>,
    ) -> Result<Item<BacktestResource>, ApiError> {
        let id = parse_id(&id.0)?;
        let accepted = caller.api.commands.cancel_backtest(&caller.command(), id).await?;
        let settled = caller.settle(&accepted, &TOUCHED).await;
        let row = after_command(&caller.api, id, settled.is_pending).await?;
        let etag = etag(&caller.api, &row).await?;
        let shown = show_one(&caller, row, Include::default()).await?;
        Ok(settled.mark(Item::new(shown).with_etag(&etag)))
    }
}
