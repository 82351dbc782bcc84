//! Tests whether the daily returns are more than chance: a t-test against zero, and luck by a block bootstrap.

use super::{Metrics, Run, count, ratio, returns::Daily};
use crate::simulation::{calendar::Days, random::SplitMix64};

/// Histories that are drawn; fewer where that would be more than [`BLOCKS_MAX`] blocks.
const RESAMPLES: usize = 1_000;
/// The fewest histories that tell anything.
const RESAMPLES_MIN: usize = 100;
/// Bounds the work of one run whatever its length.
const BLOCKS_MAX: usize = 1 << 20;
/// Daily returns below which drawing from them says nothing.
const RETURNS_MIN: usize = 10;

pub(super) fn measure(daily: &Daily, metrics: &mut Metrics) {
    let n = count(daily.returns.len());
    let t = daily.deviation.and_then(|deviation| ratio(daily.mean * n.sqrt(), deviation));
    metrics.t_statistic = t;
    metrics.p_value = t.map(|t| two_sided(t, n - 1.0));
}

/// `luck_percentile`: of histories that are drawn in blocks of days from the run's own returns less their mean (so
/// with the same ups and downs, and no edge), the percentage whose mean return is below the run's. From 0 to 100; none
/// with fewer than ten daily returns or where all are the same. The same seed gives the same number.
///
/// Blocks of ⌈n^(1/3)⌉ days, wrapped around the end: D. N. Politis and J. P. Romano, "A circular block-resampling
/// procedure for stationary data" (1992). Centred returns as the history without an edge: H. White, "A reality check
/// for data snooping", Econometrica 68 (2000).
#[must_use]
pub fn luck_percentile(run: &Run<'_>, seed: u64) -> Option<f64> {
    luck(&Daily::of(run, &Days::of(run.open_time)), seed)
}

/// As [`luck_percentile`], of daily returns that are known.
pub(super) fn luck(daily: &Daily, seed: u64) -> Option<f64> {
    let n = daily.returns.len();
    if n < RETURNS_MIN || daily.deviation.is_none() {
        return None;
    }
    let block = (1..n).find(|days| days * days * days >= n)?;
    let sums = running_sums(&daily.returns, daily.mean, block);
    let (blocks, rest) = (n / block, n % block);
    let resamples = (BLOCKS_MAX / blocks).clamp(RESAMPLES_MIN, RESAMPLES);
    let mut generator = SplitMix64::new(seed);
    let mut draw = |days: usize| {
        let start = generator.below(n);
        sums[start + days] - sums[start]
    };
    let total = daily.mean * count(n);
    let below = (0..resamples)
        .filter(|_| {
            let whole: f64 = (0..blocks).map(|_| draw(block)).sum();
            whole + draw(rest) < total
        })
        .count();
    Some(100.0 * count(below) / count(resamples))
}

/// Sums of the centred returns up to each day, going on for one block after the end from the beginning again.
fn running_sums(returns: &[f64], mean: f64, block: usize) -> Vec<f64> {
    let mut sum = 0.0;
    let circle = returns.iter().chain(&returns[..block]);
    let running = circle.map(|r| {
        sum += r - mean;
        sum
    });
    [0.0].into_iter().chain(running).collect()
}

/// The chance of a value at least as far from zero as `t` under Student's distribution with `freedom` degrees of
/// freedom: I(freedom ÷ 2, ½) at freedom ÷ (freedom + t²); Abramowitz and Stegun, 26.7.
pub(super) fn two_sided(t: f64, freedom: f64) -> f64 {
    let square = t * t;
    let (a, b) = (freedom / 2.0, 0.5);
    let (x, y) = (freedom / (freedom + square), square / (freedom + square));
    if y <= 0.0 {
        return 1.0;
    }
    let scale = libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b);
    let log_x = -libm::log1p(square / freedom);
    let front = libm::exp(scale + a * log_x + b * libm::log(y));
    if x < (a + 1.0) / (a + b + 2.0) {
        front * fraction(a, b, x) / a
    } else {
        1.0 - front * fraction(b, a, y) / b
    }
}

/// The continued fraction of the incomplete beta function (Abramowitz and Stegun, 26.5.8) by Lentz's method.
fn fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / away(1.0 - (a + b) * x / (a + 1.0));
    let mut h = d;
    for step in 1..1_000 {
        let m = count(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / away(1.0 + even * d);
        c = away(1.0 + even / c);
        h *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / away(1.0 + odd * d);
        c = away(1.0 + odd / c);
        let change = d * c;
        h *= change;
        if (change - 1.0).abs() < 1e-15 {
            break;
        }
    }
    h
}
