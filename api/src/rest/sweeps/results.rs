//! `/sweeps/{id}/results`: the rows of a sweep, and a row as a backtest.

use domain::{
    error_code::ErrorCode,
    fields::FieldError,
    job::Status,
    simulation::metrics::{Metrics, is_in_rows},
};
use poem::http::StatusCode;
use poem_openapi::{OpenApi, param::Path};
use projections::{
    metric::Comparison,
    sweep_results::{ResultColumn, ResultFilter, ResultSort},
    sweeps::SweepRow,
};

use super::resource::SweepRowResource;
use crate::{
    http::{
        brackets::Bracketed,
        caller::Caller,
        error::ApiError,
        fields::{Field, Fields, Input, Kind, choices, field},
        paging::{self, Paging},
        query::Query,
        response::{Item, List, WithHeaders as _},
        values,
    },
    lookup,
    rest::{
        Chapter,
        backtests::{self, resource::BacktestResource},
    },
};

/// The rows of a sweep.
pub(crate) struct SweepResults;

/// Which rows a list shows, and in which order.
pub(crate) struct ResultQuery {
    filters: Vec<Filter>,
    sort: ResultSort,
    descending: bool,
    paging: Paging,
}

/// `name[comparison]=value`, as it came.
struct Filter {
    /// With its brackets.
    field: String,
    name: String,
    comparison: Comparison,
    value: f64,
}

impl Input for ResultQuery {
    const NAME: &'static str = "SweepResultQuery";
    const FIELDS: &'static [Field] = &[
        field(
            "sort",
            Kind::Text,
            "`rank`, `number` or the name of a metric; prefix it with `-` for descending order. Defaults to `rank`. Metrics, `final_balance` and the parameters of the sweep can also be used as filters: `sharpe_ratio[gte]=1`, `short_window[lt]=50` (`gt`, `gte`, `lt`, `lte`, `eq`). Rows lack the metrics of the tail, benchmark, significance, turnover and longest drawdown, unless the objective is in the same group.",
        ),
        paging::PAGE,
        paging::LIMIT,
        paging::PER_PAGE,
        paging::CURSOR,
    ];

    fn is_extra(name: &str) -> bool {
        Bracketed::parse(name).is_some()
    }

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let text = fields.text(&["sort"], 60).unwrap_or_else(|| "rank".to_owned());
        let name = text.strip_prefix('-').unwrap_or(&text);
        let sort = ResultSort::parse(name).unwrap_or_else(|| {
            let known: Vec<&str> =
                ["rank", "number"].into_iter().chain(Metrics::all_names()).collect();
            let message = format!("Rows cannot be sorted by `{name}`.{}", choices(name, &known));
            fields.error("sort", ErrorCode::Invalid, message);
            ResultSort::Rank
        });
        let descending = text.starts_with('-');
        let mut filters = Vec::new();
        for (name, value) in fields.map().clone() {
            if let Some(bracketed) = Bracketed::parse(&name)
                && let Some((comparison, value)) = bracketed.number(fields, &value)
            {
                let (field, name) = (name.clone(), bracketed.filtered.to_owned());
                filters.push(Filter { field, name, comparison, value });
            }
        }
        Some(Self { filters, sort, descending, paging: Paging::read(fields) })
    }
}

impl ResultQuery {
    /// Checks the sort and the filters against what the rows of this sweep have.
    fn filters_of(&self, row: &SweepRow) -> Result<Vec<ResultFilter>, Vec<FieldError>> {
        let objective = row.spec.objective.metric.as_str();
        let mut errors = Vec::new();
        if let ResultSort::Metric(metric) = self.sort
            && !is_in_rows(metric, objective)
        {
            let message = not_in_rows(metric, objective);
            errors.push(FieldError::new("sort", ErrorCode::Invalid, message));
        }
        let mut filters = Vec::new();
        for Filter { field, name, comparison, value } in &self.filters {
            match column(row, name) {
                Ok((column, scale)) => {
                    let value = value / scale;
                    filters.push(ResultFilter { column, comparison: *comparison, value });
                }
                Err(message) => {
                    errors.push(FieldError::new(field, ErrorCode::UnknownField, message));
                }
            }
        }
        if errors.is_empty() { Ok(filters) } else { Err(errors) }
    }
}

/// The column of that name, and what its values are multiplied by on the wire.
fn column(row: &SweepRow, name: &str) -> Result<(ResultColumn, f64), String> {
    let objective = row.spec.objective.metric.as_str();
    if name == "final_balance" {
        return Ok((ResultColumn::FinalBalance, 1.0));
    }
    let parameters = row.spec.search.names();
    match Metrics::all_names().find(|known| *known == name) {
        Some(metric) if is_in_rows(metric, objective) => {
            Ok((ResultColumn::Metric(metric), values::metric_scale(metric)))
        }
        Some(metric) => Err(not_in_rows(metric, objective)),
        None if parameters.contains(&name) => Ok((ResultColumn::Parameter(name.to_owned()), 1.0)),
        None => {
            let metrics = Metrics::all_names().filter(|metric| is_in_rows(metric, objective));
            let mut known: Vec<&str> = parameters;
            known.push("final_balance");
            known.extend(metrics.map(|name| -> &str { name }));
            Err(format!("Rows cannot be filtered by `{name}`.{}", choices(name, &known)))
        }
    }
}

/// Says why rows lack a metric.
pub(super) fn not_in_rows(metric: &str, objective: &str) -> String {
    format!(
        "The rows of this sweep have no `{metric}`. The objective is `{objective}`, and `{metric}` is only computed for objectives of the same group."
    )
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
        let filters = query.0.filters_of(&row)?;
        let ResultQuery { sort, descending, paging, .. } = query.0;
        let (reads, request) = (&caller.api.reads, paging.request()?);
        let page = reads.sweep_results(&row, &filters, (sort, descending), &request).await?;
        let objective = &row.spec.objective.metric;
        Ok(List::of(&paging, page, |ranked| SweepRowResource::new(ranked, objective)))
    }

    /// Returns a row of a completed sweep by its number. Responds with 404 until it has completed.
    #[oai(path = "/sweeps/:id/results/:number", method = "get", operation_id = "getSweepResult")]
    async fn get(
        &self,
        caller: Caller,
        id: Path<String>,
        number: Path<String>,
    ) -> Result<Item<SweepRowResource>, ApiError> {
        let row = completed(&caller, &id.0).await?;
        let found = match number.0.parse() {
            Ok(number) => caller.api.reads.sweep_result(&row, number).await?,
            Err(_) => None,
        };
        let ranked = found.ok_or_else(|| ApiError::not_found("row"))?;
        let shown = SweepRowResource::new(ranked, &row.spec.objective.metric);
        Ok(Item::new(shown).with_etag(&row.sequence.to_string()))
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
        let context = caller.post(&route, &[]);
        let accepted = caller.api.commands.promote_sweep_row(&context, id, number).await?;
        let receipt = caller.wait_for_write(&accepted, &backtests::TOUCHED).await;
        backtests::requested(&caller, accepted.value, receipt).await
    }
}
