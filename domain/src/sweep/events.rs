//! What can happen to a sweep. Names and versions are permanent.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    dataset::Dataset,
    event::event_versions,
    run_spec::RunSpec,
    simulation::{
        Warning,
        sweep::{Row, Spec, WalkForwardResult},
    },
};

/// Everything that pins a sweep. Its rows follow from it and the dataset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SweepRequest {
    #[serde(flatten)]
    pub run: RunSpec,
    pub spec: Spec,
    pub combinations_count: u32,
}

/// What a sweep found. The rows themselves are no events: they can be computed again, and the hash proves them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SweepCompletion {
    pub rows_count: u32,
    /// Number of combinations without a result.
    pub failed_rows_count: u32,
    /// The best rows, in rank order.
    pub winners: Vec<Row>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub walk_forward: Option<WalkForwardResult>,
    /// About the candles of all rows. Absent in older events.
    #[serde(default)]
    pub warnings: Vec<Warning>,
    /// Hex SHA-256 over all rows. See [`crate::simulation::sweep::rows_hash`].
    pub result_hash: String,
}

/// The facts of a sweep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum SweepEvent {
    /// A sweep was requested. Everything that it depends on is pinned.
    SweepRequested { request: Box<SweepRequest> },
    /// An executor claimed the sweep and pinned its candles. One per attempt, counted from 1.
    SweepStarted { executor: String, attempt: u32, dataset: Dataset, engine_version: String },
    /// The sweep completed. Its rows are stored under the hash.
    SweepCompleted {
        #[serde(flatten)]
        completion: Box<SweepCompletion>,
    },
    /// The sweep failed. Final.
    SweepFailed { code: String, message: String },
    /// Cancellation was requested while the sweep was in progress.
    SweepCancellationRequested {},
    /// The sweep was stopped early. Final.
    SweepCancelled {},
    /// Deleted for its owner together with its rows. A sweep in progress is stopped.
    SweepDeleted {},
}

event_versions!(SweepEvent {
    SweepRequested => "1.0",
    SweepStarted => "1.0",
    SweepCompleted => "2.0",
    SweepFailed => "1.0",
    SweepCancellationRequested => "1.0",
    SweepCancelled => "1.0",
    SweepDeleted => "1.0",
});
