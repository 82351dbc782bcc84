//! What can happen to a backtest. Names and versions are permanent.

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    dataset::Dataset,
    event::event_versions,
    ids::SweepId,
    run_spec::RunSpec,
    simulation::{Warning, metrics::Metrics},
};

/// Everything that pins a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Request {
    #[serde(flatten)]
    pub run: RunSpec,
    pub origin: Origin,
    /// The row that the run repeats, of a run that came from a sweep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep_row: Option<SweepRow>,
}

/// A row of a sweep, and the candles that it was computed on: the run uses the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SweepRow {
    pub sweep_id: SweepId,
    /// From 1.
    pub number: u32,
    /// Of the sweep's dataset.
    pub revision: i64,
    /// Of the sweep's dataset.
    pub warmup_rows: u64,
}

/// What asked for a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    User,
    Automation,
    Replay,
    Sweep,
}

impl Origin {
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
    /// Somebody asked for a run, and everything that it depends on is pinned.
    BacktestRequested { request: Box<Request> },
    /// An executor took the run; attempts count from 1.
    BacktestClaimed { executor: String, attempt: u32 },
    /// The candles are pinned, and the simulation begins.
    BacktestStarted { dataset: Dataset, engine_version: String },
    /// The run ended well; appended together with `LedgerClosed`.
    BacktestCompleted {
        metrics: Box<Metrics>,
        final_balance: Decimal,
        /// If the stop-loss always came first where that is not known; none of runs before it was told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        final_balance_stop_first: Option<Decimal>,
        /// If the target always came first where that is not known; none of runs before it was told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        final_balance_target_first: Option<Decimal>,
        /// Trades, an open one included.
        trades_count: u32,
        ambiguous_trades_count: u32,
        /// Hex.
        ledger_hash: String,
        /// Hex.
        result_hash: String,
        warnings: Vec<Warning>,
    },
    /// The run cannot be done; final.
    BacktestFailed { code: String, message: String },
    /// A run that was under way is to be stopped.
    BacktestCancellationRequested {},
    /// The run was stopped before its end; final.
    BacktestCancelled {},
    /// It is gone for its owner; a run under way is stopped.
    BacktestDeleted {},
}

event_versions!(BacktestEvent {
    BacktestRequested => "1.0",
    BacktestClaimed => "1.0",
    BacktestStarted => "1.0",
    BacktestCompleted => "1.1",
    BacktestFailed => "1.0",
    BacktestCancellationRequested => "1.0",
    BacktestCancelled => "1.0",
    BacktestDeleted => "1.0",
});
