//! What can happen to a sweep. Names and versions are permanent.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    dataset::Dataset,
    event::event_versions,
    run_spec::RunSpec,
    simulation::sweep::{Row, Spec, WalkForwardResult},
};

/// Everything that pins a sweep; its rows follow from it and the dataset.
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
    /// Combinations without a result.
    pub failed_rows_count: u32,
    /// The best rows, best first.
    pub winners: Vec<Row>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub walk_forward: Option<WalkForwardResult>,
    /// Hex, over all rows: see [`crate::simulation::sweep::rows_hash`].
    pub result_hash: String,
}

/// The facts of a sweep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum SweepEvent {
    /// Somebody asked for a sweep, and everything that it depends on is pinned.
    SweepRequested { request: Box<SweepRequest> },
    /// An executor took the sweep, and the candles are pinned; one for each attempt, from 1.
    SweepStarted { executor: String, attempt: u32, dataset: Dataset, engine_version: String },
    /// The sweep ended well; its rows are stored under the hash.
    SweepCompleted {
        #[serde(flatten)]
        completion: Box<SweepCompletion>,
    },
    /// The sweep cannot be done; final.
    SweepFailed { code: String, message: String },
    /// A sweep that was under way is to be stopped.
    SweepCancellationRequested {},
    /// The sweep was stopped before its end; final.
    SweepCancelled {},
    /// It is gone for its owner, with its rows; a sweep under way is stopped.
    SweepDeleted {},
}

event_versions!(SweepEvent {
    SweepRequested => "1.0",
    SweepStarted => "1.0",
    SweepCompleted => "1.0",
    SweepFailed => "1.0",
    SweepCancellationRequested => "1.0",
    SweepCancelled => "1.0",
    SweepDeleted => "1.0",
});
