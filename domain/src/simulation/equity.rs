//! The equity curve by UTC days, as the ledger records it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::calendar::days;

/// Beyond as many days the curve is thinned.
pub const EQUITY_POINTS_MAX: usize = 4_096;

/// The equity at the end of a UTC day.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EquityPoint {
    /// Epoch milliseconds UTC: open time of the day's last candle.
    pub time: i64,
    pub equity: f64,
}

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
    use crate::simulation::calendar::DAY_MS;

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
}
