//! `/sweeps/{id}/results` and `/heatmap`: the rows of a sweep, as a list and over two parameters; a row as a backtest.

use domain::{
    job::Status,
    simulation::{
        metrics::{Metrics, is_objective},
        sweep::{Objective, heat_map::HeatMap},
    },
};
use poem::http::StatusCode;
use poem_openapi::{Object, OpenApi, param::Path};
use projections::{sweep_results::ResultSort, sweeps::SweepRow};
use serde::Serialize;
use serde_json::{Value, json};

use super::resource::{SweepRowResource, metric_text, word};
use crate::{
    http::{
        caller::Caller,
        error::ApiError,
        fields::{Field, Fields, Input, Kind, field, nearest},
        query::{self, Paging, Query},
        response::{Item, List, WithHeaders as _},
        values::DecimalText,
    },
    rest::{
        Chapter,
        backtests::{self, resource::BacktestResource},
        sweeps,
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
            "`rank` (the objective's, unless told), `number` or a metric's name, `-` before it for descending.",
        ),
        query::PAGE,
        query::LIMIT,
        query::PER_PAGE,
        query::CURSOR,
    ];

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let text = fields.text(&["sort"], 60).unwrap_or_else(|| "rank".to_owned());
        let name = text.strip_prefix('-').unwrap_or(&text);
        let sort = ResultSort::parse(name).unwrap_or_else(|| {
            let known: Vec<&str> = Metrics::all_names().chain(["rank", "number"]).collect();
            let hint = nearest(name, &known).map(|near| format!(" Did you mean `{near}`?"));
            let message = format!("Rows are not sorted by `{name}`.{}", hint.unwrap_or_default());
            fields.error("sort", "invalid", message);
            ResultSort::Rank
        });
        let descending = text.starts_with('-');
        Some(Self { sort, descending, paging: Paging::read(fields) })
    }
}

/// Which parameters a heat map lies over.
pub(crate) struct HeatMapQuery {
    x: Option<String>,
    y: Option<String>,
    metric: Option<String>,
}

impl Input for HeatMapQuery {
    const NAME: &'static str = "HeatMapQuery";
    const FIELDS: &'static [Field] = &[
        field("x", Kind::Text, "The parameter of the columns; of two, the first by name."),
        field("y", Kind::Text, "The parameter of the rows; of two, the second by name."),
        field("metric", Kind::Text, "The objective's unless told."),
    ];

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self {
            x: fields.text(&["x"], 60),
            y: fields.text(&["y"], 60),
            metric: fields.text(&["metric"], 60),
        })
    }
}

/// A metric over two parameters.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "HeatMap")]
pub(crate) struct HeatMapResource {
    metric: String,
    /// `maximize` or `minimize`: which of several rows a cell shows.
    direction: String,
    x: HeatMapAxis,
    y: HeatMapAxis,
    /// A list for each value of `y`, with a cell for each value of `x`: null where no row meets.
    cells: Vec<Vec<Option<HeatMapCell>>>,
}

/// A parameter and its values, ascending.
#[derive(Debug, Serialize, Object)]
pub(crate) struct HeatMapAxis {
    name: String,
    values: Vec<Value>,
}

/// Where two values meet.
#[derive(Debug, Serialize, Object)]
pub(crate) struct HeatMapCell {
    /// The number of the best row there.
    number: u32,
    /// Null where the metric is undefined.
    value: Option<DecimalText>,
    /// Rows that meet there: they differ in other parameters.
    rows_count: u32,
}

/// 404: there are no rows yet, or there never will be.
fn not_completed(row: &SweepRow) -> ApiError {
    let status = row.status.as_str();
    let message = format!("The sweep is {status}; only a completed one has rows.");
    ApiError::new(StatusCode::NOT_FOUND, "not_completed", message)
}

/// The completed sweep of that id.
async fn completed(caller: &Caller, id: &str) -> Result<SweepRow, ApiError> {
    let row = sweeps::find(caller, id).await?;
    if row.status == Status::Completed { Ok(row) } else { Err(not_completed(&row)) }
}

/// The parameter that an axis shows: the one asked for or, of two, the one at `place`.
fn axis(
    row: &SweepRow,
    field: &str,
    asked: Option<&str>,
    place: usize,
) -> Result<String, ApiError> {
    let names = row.spec.search.names();
    match (asked, names.as_slice()) {
        (Some(asked), names) if names.contains(&asked) => Ok(asked.to_owned()),
        (None, names @ [_, _]) => Ok(names[place].to_owned()),
        (_, names) => {
            let message = format!("`{field}` must be one of {}.", names.join(", "));
            Err(ApiError::invalid_field(field, message))
        }
    }
}

#[OpenApi(tag = "Chapter::Sweeps")]
impl SweepResults {
    /// Lists the rows of a completed sweep, the best first unless told; 404 until it has completed.
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
        let page = reads.sweep_results(&row, sort, descending, &paging.request()).await?;
        Ok(List::of(&paging, page, SweepRowResource::from))
    }

    /// A metric of a completed sweep over two of its parameters: the best row of each cell.
    #[oai(path = "/sweeps/:id/heatmap", method = "get", operation_id = "getSweepHeatMap")]
    async fn heat_map(
        &self,
        caller: Caller,
        id: Path<String>,
        query: Query<HeatMapQuery>,
    ) -> Result<Item<HeatMapResource>, ApiError> {
        let row = completed(&caller, &id.0).await?;
        let query = query.0;
        let x = axis(&row, "x", query.x.as_deref(), 0)?;
        let y = axis(&row, "y", query.y.as_deref(), 1)?;
        let objective = match query.metric {
            Some(metric) if metric == row.spec.objective.metric => row.spec.objective.clone(),
            Some(metric) if is_objective(&metric) => {
                Objective { direction: Objective::direction_of(&metric), metric }
            }
            Some(metric) => {
                let message = format!("There is no metric `{metric}`.");
                return Err(ApiError::invalid_field("metric", message));
            }
            None => row.spec.objective.clone(),
        };
        let rows = caller.api.reads.sweep_rows(&row).await?;
        let map = HeatMap::new(&rows, &x, &y, &objective);
        let values = |numbers: Vec<_>| numbers.into_iter().map(|number| json!(number)).collect();
        let metric = objective.metric.as_str();
        let cells = map.cells.into_iter().map(|line| {
            let cells = line.into_iter().map(|cell| {
                cell.map(|cell| HeatMapCell {
                    number: cell.number,
                    value: metric_text(metric, cell.value),
                    rows_count: cell.rows_count,
                })
            });
            cells.collect()
        });
        let shown = HeatMapResource {
            metric: metric.to_owned(),
            direction: word(&objective.direction),
            cells: cells.collect(),
            x: HeatMapAxis { name: x, values: values(map.x) },
            y: HeatMapAxis { name: y, values: values(map.y) },
        };
        Ok(Item::new(shown).with_etag(&row.sequence.to_string()))
    }

    /// Runs a row as a full backtest, with its trades and its equity: the same numbers. 202; with `Prefer: wait=N` and a
    /// run that ended by then, 201.
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
        let id = sweeps::parse_id(&id.0)?;
        let number: u32 = number.0.parse().map_err(|_| ApiError::not_found("row"))?;
        let route = format!("POST /sweeps/{id}/results/{number}/backtest");
        let context = caller.creation_by_path(&route);
        let accepted = caller.api.commands.promote_sweep_row(&context, id, number).await?;
        let settled = caller.settle(&accepted, &backtests::TOUCHED).await;
        backtests::requested(&caller, accepted.value, settled).await
    }
}
