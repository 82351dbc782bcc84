//! Warns if the daily returns could be chance.

use super::Review;
use crate::simulation::Warning;

/// The customary level of significance.
const P_VALUE_MAX: f64 = 0.05;
/// The same level for the one-sided question of the bootstrap.
const LUCK_PERCENTILE_MIN: f64 = 95.0;

/// `insignificant_returns`: the metric `p_value` > 0.05, Student's t-test of the mean daily return against zero
/// (Student, "The probable error of a mean", Biometrika 6, 1908).
pub(super) fn insignificant_returns(review: &Review<'_>) -> Option<Warning> {
    let (t, p) = (review.metrics.t_statistic?, review.metrics.p_value?);
    (p > P_VALUE_MAX).then(|| {
        let message = format!(
            "the mean daily return cannot be told from zero: t = {t:.2}, p = {p:.3} (two-sided)"
        );
        Warning::new("insignificant_returns", message)
    })
}

/// `maybe_luck`: the metric `luck_percentile` < 95 of a run that earned on its average day.
pub(super) fn maybe_luck(review: &Review<'_>) -> Option<Warning> {
    let percentile = review.metrics.luck_percentile?;
    let has_earned = review.metrics.t_statistic.is_some_and(|t| t > 0.0);
    (has_earned && percentile < LUCK_PERCENTILE_MIN).then(|| {
        let others = 100.0 - percentile;
        let message = format!(
            "{others:.1} % of histories without any edge, drawn from the run's own days, did as well or better"
        );
        Warning::new("maybe_luck", message)
    })
}
