//! What can happen to a backtest. Names and versions are permanent.

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    dataset::Dataset,
    event::event_versions,
    ids::SweepId,
    run_spec::RunSpec,
    simulation::{UnfilledOrder, Warning, metrics::Metrics},
};

/// Everything that pins a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Request {
    #[serde(flatten)]
    pub run: RunSpec,
    pub origin: Origin,
    /// The sweep row that the run repeats, if it came from a sweep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep_row: Option<SweepRow>,
}

/// A row of a sweep, and the candles that it was computed on. The run uses the same ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SweepRow {
    pub sweep_id: SweepId,
    /// From 1.
    pub number: u32,
    /// Revision of the sweep's dataset.
    pub revision: i64,
    /// Rows before the range that the row was warmed up with. For sweeps of engine 1, those of the whole sweep.
    pub warmup_rows: u64,
}

/// What requested a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    User,
    Automation,
    Replay,
    Sweep,
}

impl Origin {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::User, Self::Automation, Self::Replay, Self::Sweep];

    /// Its name in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Automation => "automation",
            Self::Replay => "replay",
            Self::Sweep => "sweep",
        }
    }
}

/// The facts of a backtest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum BacktestEvent {
    /// A run was requested. Everything that it depends on is pinned.
    BacktestRequested { request: Box<Request> },
    /// An executor claimed the run. Attempts count from 1.
    BacktestClaimed { executor: String, attempt: u32 },
    /// The candles are pinned and the simulation starts.
    BacktestStarted {
        dataset: Dataset,
        /// Decimals of the candles' prices. Absent in older events.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        price_decimals: Option<u32>,
        /// Decimals of the candles' volumes. Absent in older events.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        volume_decimals: Option<u32>,
        engine_version: String,
    },
    /// The run completed. Appended together with `LedgerClosed`.
    BacktestCompleted {
        metrics: Box<Metrics>,
        final_balance: Decimal,
        /// The final balance if the stop-loss came first in every ambiguous candle. `None` for runs before this was
        /// recorded.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        final_balance_stop_first: Option<Decimal>,
        /// The final balance if the target came first in every ambiguous candle. `None` for runs before this was
        /// recorded.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        final_balance_target_first: Option<Decimal>,
        /// Number of trades, including an open one.
        trades_count: u32,
        ambiguous_trades_count: u32,
        /// Hex.
        ledger_hash: String,
        /// Hex.
        result_hash: String,
        warnings: Vec<Warning>,
        /// The first orders, at most 100, that were rejected.
        #[serde(default)]
        rejections: Vec<UnfilledOrder>,
        /// Number of all orders that were rejected. Absent in older events.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rejections_count: Option<u32>,
        /// The first entries, at most 100, whose price was not reached while they were valid.
        #[serde(default)]
        expiries: Vec<UnfilledOrder>,
        /// Number of all entries that expired. Absent in older events.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expiries_count: Option<u32>,
    },
    /// The run failed. Final.
    BacktestFailed { code: String, message: String },
    /// Cancellation was requested while the run was in progress.
    BacktestCancellationRequested {},
    /// The run was stopped early. Final.
    BacktestCancelled {},
    /// Deleted for its owner. A run in progress is stopped.
    BacktestDeleted {},
}

event_versions!(BacktestEvent {
    BacktestRequested => "1.0",
    BacktestClaimed => "1.0",
    BacktestStarted => "2.0",
    BacktestCompleted => "2.0",
    BacktestFailed => "1.0",
    BacktestCancellationRequested => "1.0",
    BacktestCancelled => "1.0",
    BacktestDeleted => "1.0",
});
