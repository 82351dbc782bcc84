//! The equity curve by UTC days: what the ledger records of it.

use std::ops::Range;

use super::{
    indicators::{larger, smaller},
    outcome::EquityPoint,
};

/// Beyond as many days the curve is thinned.
pub const EQUITY_POINTS_MAX: usize = 4_096;

/// Milliseconds of a UTC day.
pub(super) const DAY_MS: i64 = 86_400_000;

/// The last equity of each UTC day that has candles; over [`EQUITY_POINTS_MAX`] days every ⌈days ÷ 4096⌉-th,
/// counted back from the last. `open_time` ascends, `equity` is as long.
#[must_use]
pub fn equity_points(open_time: &[i64], equity: &[f64]) -> Vec<EquityPoint> {
    let last_of_day = days(open_time).map(|(_, candles)| candles.end - 1);
    let mut points: Vec<EquityPoint> = last_of_day
        .map(|last| EquityPoint { time: open_time[last], equity: equity[last] })
        .collect();
    let step = points.len().div_ceil(EQUITY_POINTS_MAX);
    if step > 1 {
        let offset = (points.len() - 1) % step;
        points = points.into_iter().skip(offset).step_by(step).collect();
    }
    points
}

/// The UTC days of a range: the same for every run over it.
#[derive(Debug)]
pub(crate) struct Days {
    /// Index of the last candle of each day that has candles.
    pub(super) last_candles: Vec<usize>,
    pub(super) has_weekends: bool,
}

impl Days {
    pub(crate) fn of(open_time: &[i64]) -> Self {
        let last_candles = days(open_time).map(|(_, candles)| candles.end - 1).collect();
        Self { last_candles, has_weekends: trades_on_weekends(open_time) }
    }
}

/// Each UTC day that has candles, as days since 1970-01-01, and the range of its candles.
pub(super) fn days(open_time: &[i64]) -> impl Iterator<Item = (i64, Range<usize>)> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let day = open_time.get(start)?.div_euclid(DAY_MS);
        let midnight = (day + 1) * DAY_MS;
        // Doubling steps, then bisection: a day of minutes takes twenty looks instead of 1,440.
        let (mut low, mut step) = (start, 1);
        while open_time.get(low + step).is_some_and(|time| *time < midnight) {
            low += step;
            step *= 2;
        }
        let high = open_time.len().min(low + step);
        let end = low + open_time[low..high].partition_point(|time| *time < midnight);
        let candles = start..end;
        start = end;
        Some((day, candles))
    })
}

/// Whether more than 0.6 × 2/7 of the candles lie on Saturday or Sunday (UTC).
pub(super) fn trades_on_weekends(open_time: &[i64]) -> bool {
    // The epoch was a Thursday.
    let weekends = days(open_time).filter(|(day, _)| matches!((day + 4).rem_euclid(7), 0 | 6));
    let weekend_count: usize = weekends.map(|(_, candles)| candles.len()).sum();
    // weekend_count ÷ candles > 1.2 ÷ 7, in whole numbers.
    weekend_count * 35 > open_time.len() * 6
}

/// The lowest and the highest of some equities.
pub(super) fn ends(values: &[f64]) -> (f64, f64) {
    (best(values, f64::INFINITY, smaller), best(values, f64::NEG_INFINITY, larger))
}

/// The best of `worst` and the values, several side by side.
pub(super) fn best(values: &[f64], worst: f64, better: impl Fn(f64, f64) -> f64) -> f64 {
    let (chunks, rest) = values.as_chunks::<8>();
    let mut lanes = [worst; 8];
    for chunk in chunks {
        lanes = std::array::from_fn(|lane| better(chunk[lane], lanes[lane]));
    }
    lanes.iter().chain(rest).fold(worst, |best, value| better(*value, best))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    fn curve(times: &[i64]) -> Vec<EquityPoint> {
        let equity: Vec<f64> = (0..times.len()).map(|index| index as f64).collect();
        equity_points(times, &equity)
    }

    #[test]
    fn the_last_equity_of_each_day_is_kept_and_days_without_candles_are_left_out() {
        let times = [0, 5 * HOUR_MS, 23 * HOUR_MS, 24 * HOUR_MS, 80 * HOUR_MS];
        let point = |time, equity| EquityPoint { time, equity };
        let expected =
            [point(23 * HOUR_MS, 2.0), point(24 * HOUR_MS, 3.0), point(80 * HOUR_MS, 4.0)];
        assert_eq!(curve(&times), expected);
        assert_eq!(curve(&[]), []);
    }

    #[test]
    fn a_long_curve_keeps_every_nth_day_counted_back_from_the_last() {
        let days = |count: i64| (0..count).map(|day| day * DAY_MS).collect::<Vec<_>>();
        assert_eq!(curve(&days(4_096)).len(), 4_096);
        let thinned = curve(&days(4_097));
        assert_eq!(thinned.len(), 2_049);
        assert_eq!(thinned[0].time, 0);
        let thinned = curve(&days(10_000));
        assert_eq!(thinned.len(), 3_334);
        assert_eq!(thinned[3_333].time, 9_999 * DAY_MS);
        assert_eq!(thinned[3_332].time, 9_996 * DAY_MS);
        assert_eq!(thinned[0].time, 0);
    }

    proptest! {
        #[test]
        fn days_partition_the_candles(gaps in proptest::collection::vec(1..DAY_MS * 2, 0..300)) {
            let times: Vec<i64> = gaps
                .iter()
                .scan(-DAY_MS * 3, |time, gap| {
                    *time += gap / 40;
                    Some(*time)
                })
                .collect();
            let mut end = 0;
            let mut last_day = i64::MIN;
            for (day, candles) in days(&times) {
                prop_assert_eq!(candles.start, end);
                prop_assert!(day > last_day && !candles.is_empty());
                prop_assert!(times[candles.clone()].iter().all(|t| t.div_euclid(DAY_MS) == day));
                (end, last_day) = (candles.end, day);
            }
            prop_assert_eq!(end, times.len());
        }
    }
}
