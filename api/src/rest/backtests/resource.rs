//! A backtest as clients see it.

use domain::{
    dataset::Dataset,
    simulation::{
        Warning,
        metrics::{Metrics, generate_performance_summary},
    },
};
use poem_openapi::Object;
use projections::backtests::BacktestRow;
use serde::Serialize;
use serde_json::{Value, json};

use super::metrics::MetricsResource;
use crate::{
    http::values::{DecimalText, time_text},
    rest::{job::RunResource, strategies::resource::StrategyResource},
};

/// A backtest: one simulated run of a strategy over a range of candles.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "Backtest")]
pub(crate) struct BacktestResource {
    id: String,
    #[serde(flatten)]
    #[oai(flatten)]
    run: RunResource,
    /// Null until the backtest has completed.
    final_balance: Option<DecimalText>,
    /// `pending`, `running`, `completed`, `failed` or `cancelled`.
    status: String,
    /// Percent, 0 to 100.
    pub(super) progress: u8,
    cancellation_requested_at: Option<String>,
    parameters: Value,
    metadata: Value,
    /// `user`, `automation`, `replay` or `sweep`.
    origin: String,
    /// The sweep whose row the backtest repeats. Null unless `origin` is `sweep`.
    sweep_id: Option<String>,
    /// The number of that row.
    sweep_row: Option<u32>,
    error: Option<RunError>,
    warnings: Vec<RunWarning>,
    dataset: Option<DatasetResource>,
    engine_version: Option<String>,
    result_hash: Option<String>,
    attempt: u32,
    created_at: String,
    started_at: Option<String>,
    completed_at: Option<String>,
    updated_at: String,
    /// Null until the backtest has completed.
    performance_summary: Option<Summary>,
    /// Only with `include=metrics`. Null until the backtest has completed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) metrics: Option<Option<MetricsResource>>,
    /// Only with `include=strategy`. Null if the strategy was deleted or can no longer be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) strategy: Option<Option<StrategyResource>>,
}

/// Why it failed.
#[derive(Debug, Serialize, Object)]
pub(crate) struct RunError {
    code: String,
    message: String,
}

/// Something to keep in mind when reading the result.
#[derive(Debug, Serialize, Object)]
pub(crate) struct RunWarning {
    code: String,
    message: String,
}

/// The candles that a backtest is pinned to, including warm-up.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "Dataset")]
pub(crate) struct DatasetResource {
    revision: i64,
    rows: u64,
    /// How many of the rows lie before the range.
    warmup_rows: u64,
    first: String,
    last: String,
    sha256: String,
    /// The finer candles that `intrabar: lower_timeframe` uses. Null otherwise.
    fine: Option<FineDatasetResource>,
}

/// Finer candles of the same range, which show what happened first within a candle.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "FineDataset")]
pub(crate) struct FineDatasetResource {
    timeframe: String,
    revision: i64,
    rows: u64,
    sha256: String,
}

/// Summary of the result. `…_percentage` values are in percent, `win_rate` is a fraction.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "PerformanceSummary")]
pub(crate) struct Summary {
    total_trades: u32,
    winning_trades: u32,
    losing_trades: u32,
    win_rate: Option<DecimalText>,
    profit_factor: Option<DecimalText>,
    max_drawdown: Option<DecimalText>,
    max_drawdown_percentage: Option<DecimalText>,
    sharpe_ratio: Option<DecimalText>,
    sortino_ratio: Option<DecimalText>,
    total_pnl: DecimalText,
    total_pnl_percentage: Option<DecimalText>,
}

impl RunError {
    pub(crate) fn new(code: String, message: String) -> Self {
        Self { code, message }
    }
}

impl From<Warning> for RunWarning {
    fn from(Warning { code, message }: Warning) -> Self {
        Self { code, message }
    }
}

impl From<&Metrics> for Summary {
    fn from(metrics: &Metrics) -> Self {
        let summary = generate_performance_summary(metrics);
        let real = |value: Option<f64>| value.and_then(DecimalText::of_real);
        Self {
            total_trades: summary.total_trades,
            winning_trades: summary.winning_trades,
            losing_trades: summary.losing_trades,
            win_rate: real(summary.win_rate),
            profit_factor: real(summary.profit_factor),
            max_drawdown: real(summary.max_drawdown),
            max_drawdown_percentage: real(summary.max_drawdown_percentage),
            sharpe_ratio: real(summary.sharpe_ratio),
            sortino_ratio: real(summary.sortino_ratio),
            total_pnl: summary.total_pnl.into(),
            total_pnl_percentage: real(summary.total_pnl_percentage),
        }
    }
}

impl From<Dataset> for DatasetResource {
    fn from(dataset: Dataset) -> Self {
        Self {
            revision: dataset.revision,
            rows: dataset.rows,
            warmup_rows: dataset.warmup_rows,
            first: time_text(dataset.first),
            last: time_text(dataset.last),
            sha256: dataset.sha256,
            fine: dataset.fine.map(|fine| FineDatasetResource {
                timeframe: fine.timeframe.as_str().to_owned(),
                revision: fine.revision,
                rows: fine.rows,
                sha256: fine.sha256,
            }),
        }
    }
}

impl BacktestResource {
    /// Returns the resource of a row, with its progress in percent.
    pub(crate) fn new(row: BacktestRow, progress: u8) -> Self {
        let error =
            row.error_code.map(|code| RunError::new(code, row.error_message.unwrap_or_default()));
        let warnings = row.warnings.into_iter().map(RunWarning::from).collect();
        Self {
            id: row.id.to_string(),
            run: RunResource::from(&row.run),
            final_balance: row.final_balance.map(DecimalText::from),
            status: row.status.as_str().to_owned(),
            progress,
            cancellation_requested_at: row.cancellation_requested_at.map(time_text),
            parameters: json!(row.run.parameters),
            metadata: json!(row.run.settings),
            origin: row.origin.as_str().to_owned(),
            sweep_id: row.sweep_id.map(|id| id.to_string()),
            sweep_row: row.sweep_row,
            error,
            warnings,
            dataset: row.dataset.map(DatasetResource::from),
            engine_version: row.engine_version,
            result_hash: row.result_hash,
            attempt: row.attempt,
            created_at: time_text(row.created_at),
            started_at: row.started_at.map(time_text),
            completed_at: row.completed_at.map(time_text),
            updated_at: time_text(row.updated_at),
            performance_summary: row.metrics.as_ref().map(Summary::from),
            metrics: None,
            strategy: None,
        }
    }
}
