//! UTC days: which candles lie in one, and whether a market trades on weekends.

use std::ops::Range;

/// Milliseconds of a UTC day.
pub(super) const DAY_MS: i64 = 86_400_000;

/// The UTC days of a range: the same for every run over it.
#[derive(Debug)]
pub(crate) struct Days {
    /// Index of the last candle of each day that has candles.
    pub(super) last_candles: Vec<usize>,
    pub(super) has_weekends: bool,
}

impl Days {
    pub(crate) fn of(open_time: &[i64]) -> Self {
        let mut weekend_count = 0;
        let last_candles = days(open_time).map(|(day, candles)| {
            weekend_count += if is_weekend(day) { candles.len() } else { 0 };
            candles.end - 1
        });
        let last_candles = last_candles.collect();
        Self { last_candles, has_weekends: are_weekends(weekend_count, open_time.len()) }
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
    let weekends = days(open_time).filter(|(day, _)| is_weekend(*day));
    are_weekends(weekends.map(|(_, candles)| candles.len()).sum(), open_time.len())
}

/// Whether a day, counted from the epoch, a Thursday, is a Saturday or Sunday.
fn is_weekend(day: i64) -> bool {
    matches!((day + 4).rem_euclid(7), 0 | 6)
}

/// weekend_count ÷ candles > 1.2 ÷ 7, in whole numbers.
fn are_weekends(weekend_count: usize, candles_count: usize) -> bool {
    weekend_count * 35 > candles_count * 6
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
