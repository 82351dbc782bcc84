//! `/sweeps/{id}/heatmap`: a metric over two parameters.

use domain::simulation::{
    metrics::{Metrics, is_in_rows, is_objective},
    sweep::{Objective, heat_map::HeatMap},
};
use poem_openapi::{Object, OpenApi, param::Path};
use projections::sweeps::SweepRow;
use serde::Serialize;
use serde_json::{Value, json};

use super::results::{completed, not_in_rows};
use crate::{
    http::{
        caller::Caller,
        error::ApiError,
        fields::{Field, Fields, Input, Kind, choices, field},
        query::Query,
        response::{Item, WithHeaders as _},
        values::DecimalText,
    },
    rest::Chapter,
};

/// A metric over two parameters of a sweep.
pub(crate) struct SweepHeatMap;

/// Which parameters a heat map lies over.
pub(crate) struct HeatMapQuery {
    x: Option<String>,
    y: Option<String>,
    metric: Option<String>,
}

impl Input for HeatMapQuery {
    const NAME: &'static str = "HeatMapQuery";
    const FIELDS: &'static [Field] = &[
        field(
            "x",
            Kind::Text,
            "The parameter of the columns. If two parameters vary, defaults to the first by name.",
        ),
        field(
            "y",
            Kind::Text,
            "The parameter of the rows. If two parameters vary, defaults to the second by name.",
        ),
        field("metric", Kind::Text, "The metric to show. Defaults to the objective's."),
    ];

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self {
            x: fields.text(&["x"], 60),
            y: fields.text(&["y"], 60),
            metric: fields.text(&["metric"], 60),
        })
    }
}

/// A metric over two parameters of a sweep.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "HeatMap")]
pub(crate) struct HeatMapResource {
    metric: String,
    /// `maximize` or `minimize`: decides which row a cell shows if several share it.
    direction: String,
    x: HeatMapAxis,
    y: HeatMapAxis,
    /// One list per value of `y`, with one cell per value of `x`. A cell is null if no row has that combination.
    cells: Vec<Vec<Option<HeatMapCell>>>,
}

/// A parameter and its values in ascending order.
#[derive(Debug, Serialize, Object)]
pub(crate) struct HeatMapAxis {
    name: String,
    values: Vec<Value>,
}

/// A combination of two values.
#[derive(Debug, Serialize, Object)]
pub(crate) struct HeatMapCell {
    /// The number of the best row with that combination.
    number: u32,
    /// Null if the metric is undefined.
    value: Option<DecimalText>,
    /// How many rows have that combination and differ in other parameters.
    rows_count: u32,
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

/// The metric that the cells show, and which end of it is the better one.
fn objective_of(row: &SweepRow, metric: String) -> Result<Objective, ApiError> {
    let objective = &row.spec.objective;
    if metric == objective.metric {
        return Ok(objective.clone());
    }
    if is_in_rows(&metric, &objective.metric) && is_objective(&metric) {
        return Ok(Objective { direction: Objective::direction_of(&metric), metric });
    }
    let known: Vec<&str> = Metrics::all_names().collect();
    let message = if known.contains(&metric.as_str()) {
        not_in_rows(&metric, &objective.metric)
    } else {
        format!("There is no metric `{metric}`.{}", choices(&metric, &known))
    };
    Err(ApiError::invalid_field("metric", message))
}

#[OpenApi(tag = "Chapter::Sweeps")]
impl SweepHeatMap {
    /// Returns a metric of a completed sweep over two of its parameters, with the best row per cell.
    #[oai(path = "/sweeps/:id/heatmap", method = "get", operation_id = "getSweepHeatMap")]
    async fn get(
        &self,
        caller: Caller,
        id: Path<String>,
        query: Query<HeatMapQuery>,
    ) -> Result<Item<HeatMapResource>, ApiError> {
        let row = completed(&caller, &id.0).await?;
        let query = query.0;
        let x = axis(&row, "x", query.x.as_deref(), 0)?;
        let y = axis(&row, "y", query.y.as_deref(), 1)?;
        if x == y {
            let message = format!("`x` and `y` must be different parameters; both are `{x}`.");
            return Err(ApiError::invalid_field("y", message));
        }
        let objective = match query.metric {
            Some(metric) => objective_of(&row, metric)?,
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
                    value: DecimalText::of_metric(metric, cell.value),
                    rows_count: cell.rows_count,
                })
            });
            cells.collect()
        });
        let shown = HeatMapResource {
            metric: metric.to_owned(),
            direction: objective.direction.as_str().to_owned(),
            cells: cells.collect(),
            x: HeatMapAxis { name: x, values: values(map.x) },
            y: HeatMapAxis { name: y, values: values(map.y) },
        };
        Ok(Item::new(shown).with_etag(&row.sequence.to_string()))
    }
}
