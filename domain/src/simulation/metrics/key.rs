//! The metrics that a row of a sweep has: all except the ones that need a separate pass over every candle or day.

use super::{
    Metrics, Run, benchmark, count,
    drawdown::{self, LargestFall},
    returns, significance, tail, trades,
};
use crate::simulation::{calendar::Days, indicators::sum};

/// Those that a row has only when it is ranked by one of the same family.
const BENCHMARK: [&str; 2] = ["alpha", "beta"];
const TAIL: [&str; 7] = [
    "value_at_risk",
    "conditional_value_at_risk",
    "skew",
    "kurtosis",
    "ulcer_index",
    "tail_ratio",
    "omega",
];
const SIGNIFICANCE: [&str; 2] = ["t_statistic", "p_value"];
const TURNOVER: &str = "turnover";
const LONGEST_DRAWDOWN: &str = "longest_drawdown_seconds";
/// Needs separate draws for each run, so no row has it.
const LUCK: &str = "luck_percentile";

/// Whether every row has it; the others only when they are ranked by their family.
#[must_use]
pub fn is_key(name: &str) -> bool {
    let of_families = [&BENCHMARK[..], &TAIL, &SIGNIFICANCE, &[TURNOVER, LONGEST_DRAWDOWN, LUCK]];
    !of_families.iter().any(|family| family.contains(&name))
}

/// Whether the rows of a sweep with that objective have it.
#[must_use]
pub fn is_in_rows(name: &str, objective: &str) -> bool {
    let is_family = |family: &[&str]| family.contains(&name) && family.contains(&objective);
    (is_key(name) && Metrics::all_names().any(|known| known == name))
        || name == objective
        || [&BENCHMARK[..], &TAIL, &SIGNIFICANCE].into_iter().any(is_family)
}

/// Whether rows can be ranked by it.
#[must_use]
pub fn is_objective(name: &str) -> bool {
    name != LUCK && Metrics::all_names().any(|known| known == name)
}

/// The same numbers as [`super::calculate`], to the last bit, without `alpha`, `beta`, `turnover`,
/// `longest_drawdown_seconds`, the tail and the significance of the daily returns and the drawdown periods, except for
/// the family of `objective`. `fall` has seen the equity up to some candle.
#[must_use]
pub(crate) fn calculate_key(
    run: &Run<'_>,
    objective: &str,
    days: &Days,
    fall: LargestFall,
) -> Metrics {
    let mut metrics = Metrics::default();
    fall.tell(run, &mut metrics);
    if objective == LONGEST_DRAWDOWN {
        drawdown::measure(run, &mut metrics);
    }
    let trades::Measured { notional, .. } = trades::measure(run, &mut metrics);
    if objective == TURNOVER {
        let mean_equity = sum(run.equity) / count(run.equity.len());
        metrics.turnover = trades::turnover(mean_equity, notional);
    }
    benchmark::measure_hold(run, &mut metrics);
    if BENCHMARK.contains(&objective) {
        benchmark::measure_beta(run, &mut metrics);
    }
    let daily = returns::Daily::of(run, days);
    returns::measure(run, &daily, &mut metrics);
    if SIGNIFICANCE.contains(&objective) {
        significance::measure(&daily, &mut metrics);
    }
    if TAIL.contains(&objective) {
        tail::measure(&daily, &mut metrics);
    }
    metrics.keep_finite();
    metrics
}
