//! A sweep, its rows and its walk-forward as clients see them.

use std::collections::BTreeMap;

use domain::simulation::{
    metrics::{Metrics, is_in_rows},
    sweep::{Figures, Row, RowResult, WalkForwardResult, Window, walk_forward::Span},
};
use poem_openapi::Object;
use projections::{sweep_results::RankedRow, sweeps::SweepRow};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    http::values::{DecimalText, time_text},
    rest::{
        backtests::resource::{DatasetResource, RunError, RunWarning},
        job::RunResource,
    },
};

/// A sweep.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "Sweep")]
pub(crate) struct SweepResource {
    id: String,
    #[serde(flatten)]
    #[oai(flatten)]
    run: RunResource,
    /// Fixed parameters that differ from the strategy's defaults.
    parameters: Value,
    metadata: Value,
    /// How combinations are chosen: `kind` (`grid`, `list` or `random`) with `axes`, `combinations`, `count` and
    /// `seed`.
    search: Value,
    constraints: Vec<String>,
    objective: ObjectiveResource,
    walk_forward: Option<Value>,
    combinations_count: u32,
    /// `pending`, `running`, `completed`, `failed` or `cancelled`.
    status: String,
    /// Percent, 0 to 100.
    progress: u8,
    cancellation_requested_at: Option<String>,
    error: Option<RunError>,
    dataset: Option<DatasetResource>,
    engine_version: Option<String>,
    /// SHA-256 over all rows. Null until the sweep has completed.
    result_hash: Option<String>,
    rows_count: u32,
    /// Number of combinations without a result. Their rows say why.
    failed_rows_count: u32,
    /// The best rows, in rank order.
    winners: Vec<SweepRowResource>,
    /// In-sample and out-of-sample results side by side. Null without a walk-forward and until the sweep has completed.
    walk_forward_result: Option<WalkForwardResource>,
    /// What to keep in mind about the candles of all rows.
    warnings: Vec<RunWarning>,
    attempt: u32,
    created_at: String,
    started_at: Option<String>,
    completed_at: Option<String>,
    updated_at: String,
}

/// What the sweep optimizes.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "SweepObjective")]
pub(crate) struct ObjectiveResource {
    metric: String,
    /// `maximize` or `minimize`.
    direction: String,
}

/// A combination of parameters and its result.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "SweepRow")]
pub(crate) struct SweepRowResource {
    /// Starts at 1, in the order of the combinations.
    number: u32,
    /// Rank by the objective. The best row has rank 1.
    rank: u32,
    parameters: Value,
    /// Null if the combination has no result.
    final_balance: Option<DecimalText>,
    trades_count: Option<u32>,
    ambiguous_trades_count: Option<u32>,
    /// Metrics by name, in the same units as those of a backtest. Undefined metrics are null.
    metrics: Option<Value>,
    error: Option<RunError>,
}

/// The result of a walk-forward analysis.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "WalkForward")]
pub(crate) struct WalkForwardResource {
    windows: Vec<WindowResource>,
    /// All out-of-sample windows combined into one run. Null if one of them has no result.
    stitched: Option<FiguresResource>,
}

/// A window of a walk-forward analysis.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "WalkForwardWindow")]
pub(crate) struct WindowResource {
    /// The number of the combination that performed best in sample.
    best: Option<u32>,
    parameters: Option<Value>,
    in_sample: SampleResource,
    out_of_sample: SampleResource,
}

/// A part of the range and the results of the best combination in it.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "WalkForwardSample")]
pub(crate) struct SampleResource {
    /// Open time of the first candle.
    start_time: String,
    /// Open time of the last candle.
    end_time: String,
    candles_count: u64,
    figures: Option<FiguresResource>,
}

/// The results of one simulation.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "SweepFigures")]
pub(crate) struct FiguresResource {
    final_balance: DecimalText,
    trades_count: u32,
    ambiguous_trades_count: u32,
    /// Metrics by name, in the same units as those of a backtest. Undefined metrics are null.
    metrics: Value,
}

impl SweepResource {
    /// Returns the resource of a row, with its progress in percent.
    pub(crate) fn new(row: SweepRow, progress: u8) -> Self {
        let error =
            row.error_code.map(|code| RunError::new(code, row.error_message.unwrap_or_default()));
        let winners = row.winners.into_iter().zip(1..);
        let objective = row.spec.objective.metric.clone();
        let winners = winners
            .map(|(row, rank)| SweepRowResource::new(RankedRow { rank, row }, &objective))
            .collect();
        Self {
            id: row.id.to_string(),
            run: RunResource::from(&row.run),
            parameters: json!(row.run.parameters),
            metadata: json!(row.run.settings),
            search: json!(row.spec.search),
            constraints: row.spec.constraints,
            objective: ObjectiveResource {
                direction: row.spec.objective.direction.as_str().to_owned(),
                metric: row.spec.objective.metric,
            },
            walk_forward: row.spec.walk_forward.map(|walk| json!(walk)),
            combinations_count: row.combinations_count,
            status: row.status.as_str().to_owned(),
            progress,
            cancellation_requested_at: row.cancellation_requested_at.map(time_text),
            error,
            dataset: row.dataset.map(DatasetResource::from),
            engine_version: row.engine_version,
            result_hash: row.result_hash,
            rows_count: row.rows_count,
            failed_rows_count: row.failed_rows_count,
            winners,
            walk_forward_result: (row.walk_forward)
                .map(|result| WalkForwardResource::new(result, &objective)),
            warnings: row.warnings.into_iter().map(RunWarning::from).collect(),
            attempt: row.attempt,
            created_at: time_text(row.created_at),
            started_at: row.started_at.map(time_text),
            completed_at: row.completed_at.map(time_text),
            updated_at: time_text(row.updated_at),
        }
    }
}

impl SweepRowResource {
    /// Returns the resource of a row of a sweep with that objective.
    pub(crate) fn new(ranked: RankedRow, objective: &str) -> Self {
        let RankedRow { rank, row: Row { number, parameters, result } } = ranked;
        let (figures, error) = match result {
            RowResult::Figures(figures) => (Some(FiguresResource::new(&figures, objective)), None),
            RowResult::Error(error) => (None, Some(RunError::new(error.code, error.message))),
        };
        let counts = figures.as_ref().map(|of| (of.trades_count, of.ambiguous_trades_count));
        let (final_balance, metrics) =
            figures.map(|figures| (figures.final_balance, figures.metrics)).unzip();
        let (trades_count, ambiguous_trades_count) = counts.unzip();
        let parameters = json!(parameters);
        Self {
            number,
            rank,
            parameters,
            final_balance,
            trades_count,
            ambiguous_trades_count,
            metrics,
            error,
        }
    }
}

impl FiguresResource {
    fn new(figures: &Figures, objective: &str) -> Self {
        Self {
            final_balance: figures.final_balance.into(),
            trades_count: figures.trades_count,
            ambiguous_trades_count: figures.ambiguous_trades_count,
            metrics: metrics(&figures.metrics, objective),
        }
    }
}

impl WalkForwardResource {
    fn new(result: WalkForwardResult, objective: &str) -> Self {
        let windows = result.windows.into_iter();
        Self {
            windows: windows.map(|window| WindowResource::new(window, objective)).collect(),
            stitched: result.stitched.map(|figures| FiguresResource::new(&figures, objective)),
        }
    }
}

impl WindowResource {
    fn new(window: Window, objective: &str) -> Self {
        let sample = |span: Span, figures: Option<Figures>| SampleResource {
            start_time: time_text(span.start_time),
            end_time: time_text(span.end_time),
            candles_count: span.candles_count,
            figures: figures.map(|figures| FiguresResource::new(&figures, objective)),
        };
        Self {
            best: window.best,
            parameters: window.parameters.map(|parameters| json!(parameters)),
            in_sample: sample(window.in_sample, window.in_sample_figures),
            out_of_sample: sample(window.out_of_sample, window.out_of_sample_figures),
        }
    }
}

/// Those that every row has, and those of the objective's family: `…_percentage` in percent.
fn metrics(metrics: &Metrics, objective: &str) -> Value {
    let mut shown: BTreeMap<&str, Value> = BTreeMap::from([
        ("total_trades", json!(metrics.total_trades)),
        ("winning_trades", json!(metrics.winning_trades)),
        ("losing_trades", json!(metrics.losing_trades)),
        ("total_pnl", json!(DecimalText::from(metrics.total_pnl))),
        ("total_fees", json!(DecimalText::from(metrics.total_fees))),
    ]);
    for (name, value) in Metrics::NAMES.iter().zip(metrics.values()) {
        // Rows of older engines may have more.
        if is_in_rows(name, objective) || value.is_some() {
            shown.insert(name, json!(DecimalText::of_metric(name, value)));
        }
    }
    json!(shown)
}
