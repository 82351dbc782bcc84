//! The specification of a sweep as events pin it: combinations, constraints, objective, walk-forward.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{number::Number, simulation::metrics::Metrics, strategy::parameters::Parameters};

/// The search of a sweep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Spec {
    pub search: Search,
    /// Conditions that every combination satisfies (`short_window < long_window`).
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
    /// Exactly these combinations, in this order.
    List { combinations: Vec<Parameters> },
    /// That many distinct combinations of the grid, drawn with the seed, in grid order.
    Random { axes: BTreeMap<String, Axis>, count: u32, seed: u64 },
}

/// The values of one parameter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Axis {
    /// `from`, `from + step`, … up to `to`, which is included if it is reached. Computed in decimal arithmetic.
    Range { from: Number, to: Number, step: Number },
    /// Exactly these values.
    Values(Vec<Number>),
}

/// What the sweep optimizes.
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

/// Whether higher or lower values of the objective are better.
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

/// The range is split into windows. The combination that performs best in sample is run out of sample, directly after
/// it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WalkForward {
    pub mode: Mode,
    pub windows: u32,
    /// The share of in-sample candles in a rolling window (in the first one if anchored), in percent.
    pub in_sample_percentage: u32,
}

/// Where in-sample windows start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// At the start of the range: each window is longer than the previous one.
    Anchored,
    /// All of the same length, each shifted by one out-of-sample window.
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
    /// Metrics of which less is better: what went wrong, what it cost, how rough it was (fat tails included), and how
    /// probable it is without an edge. Losses that are negative numbers (`worst_trade`, `average_loss`, `value_at_risk`) are
    /// better when larger; times held, `exposure` and `beta` are neither, and are maximized like the rest.
    const LESS_IS_BETTER: [&str; 11] = [
        "kurtosis",
        "longest_drawdown_seconds",
        "longest_losing_streak",
        "losing_trades",
        "max_drawdown",
        "max_drawdown_percentage",
        "p_value",
        "total_fees",
        "turnover",
        "ulcer_index",
        "volatility",
    ];

    /// The direction of a metric if none is given.
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
