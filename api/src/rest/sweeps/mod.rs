//! `/sweeps`: creating, reading and deleting sweeps.

pub(crate) mod body;
mod cancel;
mod events;
mod heatmap;
mod query;
mod resource;
mod results;

use domain::{ids::SweepId, sweep::Sweep};
use infra::postgres::jobs::SWEEP;
use poem::http::{StatusCode, header};
use poem_openapi::{OpenApi, param::Path};
use projections::sweeps::{self, SweepFilter, SweepRow};

use self::{body::SweepBody, query::SweepQuery, resource::SweepResource};
use super::{
    Chapter,
    job::{etag, progress, refusal, refused},
};
use crate::{
    context::Context,
    http::{
        caller::Caller,
        error::ApiError,
        json::ValidJson,
        query::Query,
        read_your_writes::row_after_command,
        response::{Item, List, NoContent, WithHeaders as _},
    },
    lookup::{self, MarketOrAsset},
};

const TOUCHED: [&str; 2] = [sweeps::NAME, projections::streams::NAME];

/// Creating, reading and deleting sweeps.
pub(crate) struct Sweeps;

/// The resources of this chapter.
pub(crate) fn api() -> impl OpenApi {
    (Sweeps, cancel::SweepCancel, results::SweepResults, heatmap::SweepHeatMap, events::SweepEvents)
}

/// Returns a sweep with an entity tag that changes with everything in it.
async fn show<const STATUS: u16>(
    api: &Context,
    row: SweepRow,
) -> Result<Item<SweepResource, STATUS>, ApiError> {
    let percent = progress(api, &SWEEP, &[(row.id.uuid(), row.status)]).await?;
    let percent = percent.into_iter().flatten().next().unwrap_or(0);
    let etag = etag(row.status, row.sequence, percent);
    Ok(Item::new(SweepResource::new(row, percent)).with_etag(&etag))
}

/// Returns the sweep after a command.
async fn after_command(api: &Context, id: SweepId, is_behind: bool) -> Result<SweepRow, ApiError> {
    let (id, stored) = (id.to_string(), api.reads.sweep(id));
    row_after_command(api, "sweep", &id, is_behind, stored, SweepRow::of_events).await
}

#[OpenApi(tag = "Chapter::Sweeps")]
impl Sweeps {
    /// Lists your own sweeps.
    #[oai(path = "/sweeps", method = "get", operation_id = "listSweeps")]
    async fn list(
        &self,
        caller: Caller,
        query: Query<SweepQuery>,
    ) -> Result<List<SweepResource>, ApiError> {
        let query = query.0;
        let strategy_id = match query.strategy.as_deref() {
            None => None,
            Some(text) => Some(caller.strategy_id(text).await?),
        };
        let (symbol, asset_symbol) = match &query.symbol {
            None => (None, None),
            Some(text) => match caller.market_or_asset("symbol", text).await? {
                MarketOrAsset::Market(symbol) => (Some(symbol), None),
                MarketOrAsset::Asset(asset) => (None, Some(asset)),
            },
        };
        let owner_id = Some(caller.user.id);
        let statuses = query.statuses;
        let filter = SweepFilter { owner_id, strategy_id, statuses, symbol, asset_symbol };
        let request = query.paging.request()?;
        let page = caller.api.reads.list_sweeps(&filter, query.descending, &request).await?;
        let jobs: Vec<_> = page.rows.iter().map(|row| (row.id.uuid(), row.status)).collect();
        let mut percents = progress(&caller.api, &SWEEP, &jobs).await?.into_iter();
        let show = |row| SweepResource::new(row, percents.next().flatten().unwrap_or(0));
        Ok(List::of(&query.paging, page, show))
    }

    /// Creates a sweep. Returns 202, or 201 if it finishes within `Prefer: wait=N`.
    #[oai(path = "/sweeps", method = "post", operation_id = "createSweep")]
    async fn create(
        &self,
        caller: Caller,
        body: ValidJson<SweepBody>,
    ) -> Result<Item<SweepResource, 202>, ApiError> {
        let context = caller.post("POST /sweeps", &body.hash);
        let commands = &caller.api.commands;
        let body = body.value;
        let draft = body.draft(caller.api.options.sweep_combinations_max);
        if !body.errors.is_empty() {
            let checked = commands.check_sweep(&caller.actor(), &draft).await;
            return Err(refused(body.errors, checked));
        }
        let accepted = commands.request_sweep(&context, &draft).await.map_err(refusal)?;
        let receipt = caller.wait_for_write(&accepted, &TOUCHED).await;
        let id = accepted.value;
        let has_ended = caller.sees_end_of::<Sweep>(&id.to_string(), &TOUCHED).await?;
        let row = after_command(&caller.api, id, receipt.is_pending && !has_ended).await?;
        let location = format!("{}/sweeps/{id}", caller.headers.prefix());
        let item = show(&caller.api, row).await?.with_header(header::LOCATION, &location);
        let item = if has_ended { item.with_status(StatusCode::CREATED) } else { item };
        Ok(receipt.apply(item))
    }

    /// Returns a sweep with its progress and, once completed, its winners and walk-forward result.
    #[oai(path = "/sweeps/:id", method = "get", operation_id = "getSweep")]
    async fn get(&self, caller: Caller, id: Path<String>) -> Result<Item<SweepResource>, ApiError> {
        let row = caller.sweep(&id.0).await?;
        show(&caller.api, row).await
    }

    /// Deletes a sweep in any state together with its rows. A running one is stopped.
    #[oai(path = "/sweeps/:id", method = "delete", operation_id = "deleteSweep")]
    async fn delete(&self, caller: Caller, id: Path<String>) -> Result<NoContent, ApiError> {
        let id = lookup::sweep_id(&id.0)?;
        let accepted = caller.api.commands.delete_sweep(&caller.command(), id).await?;
        let receipt = caller.wait_for_write(&accepted, &TOUCHED).await;
        Ok(receipt.apply(NoContent::default()))
    }
}
