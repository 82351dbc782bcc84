//! The equity curve by UTC days, as the ledger records it.

use std::ops::Range;

use super::{
    calendar::{DAY_MS, days},
    exact,
};

/// The equity at the end of a UTC day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EquityPoint {
    /// Epoch milliseconds UTC of the midnight at which the day begins.
    pub time: i64,
    pub equity: f64,
}

/// The last equity of each UTC day that has candles, rounded half to even to 4 decimals or 9 significant digits, whichever
/// is finer. `open_time` ascends, `equity` is as long.
#[must_use]
pub fn equity_points(open_time: &[i64], equity: &[f64]) -> Vec<EquityPoint> {
    let point = |(day, candles): (i64, Range<usize>)| EquityPoint {
        time: day * DAY_MS,
        equity: exact::equity(equity[candles.end - 1]),
    };
    days(open_time).map(point).collect()
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
    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    fn curve(times: &[i64]) -> Vec<EquityPoint> {
        let equity: Vec<f64> = (0..times.len()).map(|index| index as f64).collect();
        equity_points(times, &equity)
    }

    #[test]
    fn the_last_equity_of_each_day_is_kept_and_days_without_candles_are_left_out() {
        let times = [0, 5 * HOUR_MS, 23 * HOUR_MS, 24 * HOUR_MS, 80 * HOUR_MS];
        let point = |day, equity| EquityPoint { time: day * DAY_MS, equity };
        assert_eq!(curve(&times), [point(0, 2.0), point(1, 3.0), point(3, 4.0)]);
        assert_eq!(curve(&[]), []);
    }

    #[test]
    fn two_days_of_minutes_are_two_points() {
        let times: Vec<i64> = (0..2 * 1_440).map(|minute| minute * 60_000).collect();
        let point = |day, equity| EquityPoint { time: day * DAY_MS, equity };
        assert_eq!(curve(&times), [point(0, 1_439.0), point(1, 2_879.0)]);
    }

    #[test]
    fn equity_is_rounded() {
        let thirds = equity_points(&[0, DAY_MS], &[10_000.0 / 3.0, 100_000.0 / 3.0]);
        let equity: Vec<f64> = thirds.iter().map(|point| point.equity).collect();
        assert_eq!(equity, [3_333.333_33, 33_333.333_3]);
    }
}
