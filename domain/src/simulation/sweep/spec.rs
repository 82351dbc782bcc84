//! The specification of a sweep as events pin it: combinations, constraints, objective, walk-forward.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{number::Number, simulation::metrics::Metrics, strategy::parameters::Parameters};

/// The search of a sweep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Spec {
    pub search: Search,
    /// All of them hold for every combination (`short_window < long_window`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<String>,
    pub objective: Objective,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub walk_forward: Option<WalkForward>,
}

/// Where the combinations come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Search {
    /// Every combination of the axes' values; the last axis by name changes fastest.
    Grid { axes: BTreeMap<String, Axis> },
    /// These, in this order.
    List { combinations: Vec<Parameters> },
    /// So many different ones of the grid, drawn by the seed, in the grid's order.
    Random { axes: BTreeMap<String, Axis>, count: u32, seed: u64 },
}

/// The values of one parameter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Axis {
    /// `from`, `from + step`, … up to `to`, included where it is met; in decimal arithmetic.
    Range { from: Number, to: Number, step: Number },
    /// These.
    Values(Vec<Number>),
}

/// What makes a row better than another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Objective {
    /// The name of a metric.
    pub metric: String,
    pub direction: Goal,
}

impl Default for Objective {
    /// The largest Sharpe ratio.
    fn default() -> Self {
        Self { metric: "sharpe_ratio".to_owned(), direction: Goal::Maximize }
    }
}

/// Which way the objective is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    Maximize,
    Minimize,
}

impl Goal {
    /// Its name in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Maximize => "maximize",
            Self::Minimize => "minimize",
        }
    }
}

/// The range is cut into windows: what was best in sample is run out of sample, right behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WalkForward {
    pub mode: Mode,
    pub windows: u32,
    /// Of a rolling window (of the first one, when anchored): the candles in sample, in percent of all of its.
    pub in_sample_percentage: u32,
}

/// Where in-sample windows begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// All at the start of the range: each is longer than the one before.
    Anchored,
    /// Each as long as the others, moved on by one out-of-sample window.
    Rolling,
}

impl Search {
    /// The swept parameters' names.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = match self {
            Self::Grid { axes } | Self::Random { axes, .. } => {
                axes.keys().map(String::as_str).collect()
            }
            Self::List { combinations } => {
                combinations.iter().flat_map(|one| one.keys()).map(String::as_str).collect()
            }
        };
        names.sort_unstable();
        names.dedup();
        names
    }
}

impl Objective {
    /// Metrics of which less is better.
    const LESS_IS_BETTER: [&str; 7] = [
        "losing_trades",
        "max_drawdown",
        "max_drawdown_percentage",
        "total_fees",
        "turnover",
        "ulcer_index",
        "volatility",
    ];

    /// The default direction of a metric.
    #[must_use]
    pub fn direction_of(metric: &str) -> Goal {
        if Self::LESS_IS_BETTER.contains(&metric) { Goal::Minimize } else { Goal::Maximize }
    }

    /// Returns the value by which a row is ranked; `None` if the metric is undefined.
    #[must_use]
    pub fn value(&self, metrics: &Metrics) -> Option<f64> {
        metrics.get(&self.metric)
    }

    /// Order of two values, the better one first; what is undefined comes last.
    #[must_use]
    pub fn order(&self, left: Option<f64>, right: Option<f64>) -> std::cmp::Ordering {
        match (left, right) {
            (Some(left), Some(right)) => match self.direction {
                Goal::Maximize => right.total_cmp(&left),
                Goal::Minimize => left.total_cmp(&right),
            },
            (left, right) => right.is_some().cmp(&left.is_some()),
        }
    }
}
