//! The shape of the daily returns: value at risk, skew, kurtosis, ulcer index, tail ratio, omega.

use super::{Metrics, count, ratio, returns::Daily};

/// z(0.05), the normal quantile.
const QUANTILE: f64 = -1.644_853_626_951_472_7;

/// φ(z(0.05)) ÷ 0.05: how many deviations the worst twentieth of a normal distribution lies below its mean.
const SHORTFALL: f64 = 2.062_712_807_507_425_7;

pub(super) fn measure(daily: &Daily, metrics: &mut Metrics) {
    let returns = &daily.returns;
    metrics.ulcer_index = ulcer_index(returns);
    metrics.tail_ratio = tail_ratio(returns);
    let (gains, losses) = returns.iter().fold((0.0, 0.0), |(gains, losses), r| {
        if *r > 0.0 { (gains + r, losses) } else { (gains, losses - r) }
    });
    metrics.omega = if returns.len() > 1 { ratio(gains, losses) } else { None };

    let Some(deviation) = daily.deviation else { return };
    metrics.value_at_risk = Some(daily.mean + QUANTILE * deviation);
    metrics.conditional_value_at_risk = Some(daily.mean - SHORTFALL * deviation);
    let (mut cubes, mut fourths) = (0.0, 0.0);
    for r in returns {
        let z = (r - daily.mean) / deviation;
        cubes += z * z * z;
        fourths += z * z * z * z;
    }
    let n = count(returns.len());
    metrics.skew = ratio(n * cubes, (n - 1.0) * (n - 2.0));
    let divisor = (n - 2.0) * (n - 3.0);
    metrics.kurtosis = ratio(n * (n + 1.0) * fourths / (n - 1.0), divisor)
        .zip(ratio(3.0 * (n - 1.0) * (n - 1.0), divisor))
        .map(|(fourths, correction)| fourths - correction);
}

fn ulcer_index(returns: &[f64]) -> Option<f64> {
    let (mut wealth, mut peak, mut squares) = (1.0, 1.0_f64, 0.0);
    for r in returns {
        wealth *= 1.0 + r;
        peak = peak.max(wealth);
        let drawdown = wealth / peak - 1.0;
        squares += drawdown * drawdown;
    }
    (returns.len() > 1).then(|| (squares / count(returns.len() - 1)).sqrt())
}

fn tail_ratio(returns: &[f64]) -> Option<f64> {
    let mut sorted = returns.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (upper, lower) = (percentile(&sorted, 95)?, percentile(&sorted, 5)?);
    ratio(upper, lower).map(f64::abs)
}

/// Linear between the two nearest ranks, as numpy and pandas do it.
fn percentile(sorted: &[f64], percent: usize) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let (rank, hundredths) = (last * percent / 100, last * percent % 100);
    let (low, high) = (sorted[rank], sorted[last.min(rank + 1)]);
    Some(low + (high - low) * (count(hundredths) / 100.0))
}
