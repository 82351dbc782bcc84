//! `/backtests`: creating, reading and deleting runs.

pub(crate) mod body;
mod cancel;
mod equity;
mod events;
mod ledger;
mod lttb;
pub(crate) mod metrics;
mod query;
pub(crate) mod resource;
mod trades;

use std::collections::HashMap;

use domain::{
    backtest::Backtest,
    ids::{BacktestId, StrategyId},
};
use infra::postgres::jobs::BACKTEST;
use poem::http::{StatusCode, header};
use poem_openapi::{OpenApi, param::Path};
use projections::backtests::{self, BacktestFilter, BacktestRow};

use self::{
    body::BacktestBody,
    metrics::MetricsResource,
    query::{BacktestQuery, Include},
    resource::BacktestResource,
};
use super::{
    Chapter,
    job::{etag, progress, refusal, refused},
    strategies::resource::StrategyResource,
};
use crate::{
    context::Context,
    http::{
        caller::Caller,
        error::ApiError,
        json::ValidJson,
        query::Query,
        read_your_writes::{WriteReceipt, row_after_command},
        response::{Item, List, NoContent, WithHeaders as _},
    },
    lookup::{self, MarketOrAsset},
};

pub(crate) const TOUCHED: [&str; 2] = [backtests::NAME, projections::streams::NAME];

/// Creating, reading and deleting runs.
pub(crate) struct Backtests;

/// The resources of this chapter.
pub(crate) fn api() -> impl OpenApi {
    (
        Backtests,
        cancel::BacktestCancel,
        metrics::BacktestMetrics,
        trades::Trades,
        ledger::Ledger,
        equity::Equity,
        events::BacktestEvents,
    )
}

/// Returns the resources of rows, with what is to be included.
async fn show(
    caller: &Caller,
    rows: Vec<BacktestRow>,
    include: Include,
) -> Result<Vec<BacktestResource>, ApiError> {
    let jobs: Vec<_> = rows.iter().map(|row| (row.id.uuid(), row.status)).collect();
    let percents = progress(&caller.api, &BACKTEST, &jobs).await?;
    let ids: Vec<StrategyId> = rows.iter().map(|row| row.run.strategy_id).collect();
    let strategies = match include.strategy {
        true => caller.strategies(&ids).await?,
        false => HashMap::new(),
    };
    let show = |(row, percent): (BacktestRow, Option<u8>)| {
        let metrics = include.metrics.then(|| MetricsResource::of(&row));
        // A public strategy may have become private since.
        let strategy = || strategies.get(&row.run.strategy_id).cloned().map(StrategyResource::from);
        let strategy = include.strategy.then(strategy);
        let mut shown = BacktestResource::new(row, percent.unwrap_or(0));
        (shown.metrics, shown.strategy) = (metrics, strategy);
        shown
    };
    Ok(rows.into_iter().zip(percents).map(show).collect())
}

/// Returns one backtest, with an entity tag unless it includes what is not its own.
pub(crate) async fn show_one<const STATUS: u16>(
    caller: &Caller,
    row: BacktestRow,
    include: Include,
) -> Result<Item<BacktestResource, STATUS>, ApiError> {
    let (status, sequence, is_own) = (row.status, row.sequence, include.is_own());
    let mut shown = show(caller, vec![row], include).await?;
    let shown = shown.pop().ok_or_else(|| ApiError::internal("a row is shown as none"))?;
    let etag = etag(status, sequence, shown.progress);
    let item = Item::new(shown);
    Ok(if is_own { item.with_etag(&etag) } else { item })
}

/// Returns the backtest after a command.
async fn after_command(
    api: &Context,
    id: BacktestId,
    is_behind: bool,
) -> Result<BacktestRow, ApiError> {
    let (id, stored) = (id.to_string(), api.reads.backtest(id));
    row_after_command(api, "backtest", &id, is_behind, stored, BacktestRow::of_events).await
}

/// Returns the response to the request of a run: 202, or 201 if it ended while the caller wanted to wait.
pub(crate) async fn requested(
    caller: &Caller,
    id: BacktestId,
    receipt: WriteReceipt,
) -> Result<Item<BacktestResource, 202>, ApiError> {
    let has_ended = caller.sees_end_of::<Backtest>(&id.to_string(), &TOUCHED).await?;
    let row = after_command(&caller.api, id, receipt.is_pending && !has_ended).await?;
    let location = format!("{}/backtests/{id}", caller.headers.prefix());
    let item = show_one(caller, row, Include::default()).await?;
    let item = item.with_header(header::LOCATION, &location);
    let item = if has_ended { item.with_status(StatusCode::CREATED) } else { item };
    Ok(receipt.apply(item))
}

async fn filter(caller: &Caller, query: &BacktestQuery) -> Result<BacktestFilter, ApiError> {
    let [created_at, completed_at, start_time, end_time] = query.times;
    let mut filter = BacktestFilter {
        owner_id: Some(caller.user.id),
        statuses: query.statuses.clone(),
        origins: query.origins.clone(),
        search: query.search.clone(),
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
        Some(text) => Some(caller.strategy_id(text).await?),
    };
    filter.asset_symbol = query.asset.as_ref().map(|asset| asset.to_ascii_uppercase());
    if let Some(text) = &query.symbol {
        match caller.market_or_asset("symbol", text).await? {
            MarketOrAsset::Market(symbol) => filter.symbol = Some(symbol),
            MarketOrAsset::Asset(asset)
                if filter.asset_symbol.as_ref().is_none_or(|known| *known == asset) =>
            {
                filter.asset_symbol = Some(asset);
            }
            // An asset that is not the other one: nothing fits.
            MarketOrAsset::Asset(asset) => filter.symbol = asset.parse().ok(),
        }
    }
    Ok(filter)
}

#[OpenApi(tag = "Chapter::Backtests")]
impl Backtests {
    /// Lists your own backtests.
    #[oai(path = "/backtests", method = "get", operation_id = "listBacktests")]
    async fn list(
        &self,
        caller: Caller,
        query: Query<BacktestQuery>,
    ) -> Result<List<BacktestResource>, ApiError> {
        let query = query.0;
        let filter = filter(&caller, &query).await?;
        let request = query.paging.request()?;
        let reads = &caller.api.reads;
        let mut page =
            reads.list_backtests(&filter, query.sort, query.descending, &request).await?;
        let rows = show(&caller, std::mem::take(&mut page.rows), query.include).await?;
        Ok(List::of_shown(&query.paging, rows, &page))
    }

    /// Creates a backtest. Returns 202, or 201 if it finishes within `Prefer: wait=N`.
    #[oai(path = "/backtests", method = "post", operation_id = "createBacktest")]
    async fn create(
        &self,
        caller: Caller,
        body: ValidJson<BacktestBody>,
    ) -> Result<Item<BacktestResource, 202>, ApiError> {
        let context = caller.post("POST /backtests", &body.hash);
        let commands = &caller.api.commands;
        let body = body.value;
        if !body.errors.is_empty() {
            let checked = commands.check_backtest(&caller.actor(), &body.draft).await;
            return Err(refused(body.errors, checked));
        }
        let accepted = commands.request_backtest(&context, &body.draft).await;
        let accepted = accepted.map_err(refusal)?;
        let receipt = caller.wait_for_write(&accepted, &TOUCHED).await;
        requested(&caller, accepted.value, receipt).await
    }

    /// Returns a backtest with its progress and, once completed, a summary of its performance.
    #[oai(path = "/backtests/:id", method = "get", operation_id = "getBacktest")]
    async fn get(
        &self,
        caller: Caller,
        id: Path<String>,
        query: Query<Include>,
    ) -> Result<Item<BacktestResource>, ApiError> {
        let row = caller.backtest(&id.0).await?;
        show_one(&caller, row, query.0).await
    }

    /// Deletes a backtest in any state. A running one is stopped.
    #[oai(path = "/backtests/:id", method = "delete", operation_id = "deleteBacktest")]
    async fn delete(&self, caller: Caller, id: Path<String>) -> Result<NoContent, ApiError> {
        let id = lookup::backtest_id(&id.0)?;
        let accepted = caller.api.commands.delete_backtest(&caller.command(), id).await?;
        let receipt = caller.wait_for_write(&accepted, &TOUCHED).await;
        Ok(receipt.apply(NoContent::default()))
    }
}
