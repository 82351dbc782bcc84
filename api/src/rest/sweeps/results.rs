//! `/sweeps/{id}/results`: the rows of a sweep, and a row as a backtest.

use domain::{error_code::ErrorCode, job::Status, simulation::metrics::Metrics};
use poem::http::StatusCode;
use poem_openapi::{OpenApi, param::Path};
use projections::{sweep_results::ResultSort, sweeps::SweepRow};

use super::resource::SweepRowResource;
use crate::{
    http::{
        caller::Caller,
        error::ApiError,
        fields::{Field, Fields, Input, Kind, field, nearest},
        paging::{self, Paging},
        query::Query,
        response::{Item, List},
    },
    lookup,
    rest::{
        Chapter,
        backtests::{self, resource::BacktestResource},
    },
};

/// The rows of a sweep.
pub(crate) struct SweepResults;

/// In which order rows are listed.
pub(crate) struct ResultQuery {
    sort: ResultSort,
    descending: bool,
    paging: Paging,
}

impl Input for ResultQuery {
    const NAME: &'static str = "SweepResultQuery";
    const FIELDS: &'static [Field] = &[
        field(
            "sort",
            Kind::Text,
            "`rank`, `number` or the name of a metric; prefix it with `-` for descending order. Defaults to `rank`.",
        ),
        paging::PAGE,
        paging::LIMIT,
        paging::PER_PAGE,
        paging::CURSOR,
    ];

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let text = fields.text(&["sort"], 60).unwrap_or_else(|| "rank".to_owned());
        let name = text.strip_prefix('-').unwrap_or(&text);
        let sort = ResultSort::parse(name).unwrap_or_else(|| {
            let known: Vec<&str> = Metrics::all_names().chain(["rank", "number"]).collect();
            let hint = nearest(name, &known).map(|near| format!(" Did you mean `{near}`?"));
            let message = format!("Rows cannot be sorted by `{name}`.{}", hint.unwrap_or_default());
            fields.error("sort", ErrorCode::Invalid, message);
            ResultSort::Rank
        });
        let descending = text.starts_with('-');
        Some(Self { sort, descending, paging: Paging::read(fields) })
    }
}

/// 404: there are no rows yet, or there never will be.
fn not_completed(row: &SweepRow) -> ApiError {
    let status = row.status.as_str();
    let message = format!("The sweep is {status}; only a completed one has rows.");
    ApiError::new(StatusCode::NOT_FOUND, ErrorCode::NotCompleted, message)
}

/// Returns the sweep with that id if it has completed.
///
/// # Errors
/// 404, 403.
pub(super) async fn completed(caller: &Caller, id: &str) -> Result<SweepRow, ApiError> {
    let row = caller.sweep(id).await?;
    if row.status == Status::Completed { Ok(row) } else { Err(not_completed(&row)) }
}

#[OpenApi(tag = "Chapter::Sweeps")]
impl SweepResults {
    /// Lists the rows of a completed sweep, by default in rank order. Responds with 404 until it has completed.
    #[oai(path = "/sweeps/:id/results", method = "get", operation_id = "listSweepResults")]
    async fn list(
        &self,
        caller: Caller,
        id: Path<String>,
        query: Query<ResultQuery>,
    ) -> Result<List<SweepRowResource>, ApiError> {
        let row = completed(&caller, &id.0).await?;
        let ResultQuery { sort, descending, paging } = query.0;
        let reads = &caller.api.reads;
        let page = reads.sweep_results(&row, sort, descending, &paging.request()?).await?;
        Ok(List::of(&paging, page, SweepRowResource::from))
    }

    /// Runs a row as a full backtest with trades and equity, and the same results. Returns 202, or 201 if it finishes
    /// within `Prefer: wait=N`.
    #[oai(
        path = "/sweeps/:id/results/:number/backtest",
        method = "post",
        operation_id = "createBacktestOfSweepRow"
    )]
    async fn promote(
        &self,
        caller: Caller,
        id: Path<String>,
        number: Path<String>,
    ) -> Result<Item<BacktestResource, 202>, ApiError> {
        let id = lookup::sweep_id(&id.0)?;
        let number: u32 = number.0.parse().map_err(|_| ApiError::not_found("row"))?;
        let route = format!("POST /sweeps/{id}/results/{number}/backtest");
        let context = caller.creation(&route, &[]);
        let accepted = caller.api.commands.promote_sweep_row(&context, id, number).await?;
        let receipt = caller.wait_for_write(&accepted, &backtests::TOUCHED).await;
        backtests::requested(&caller, accepted.value, receipt).await
    }
}
