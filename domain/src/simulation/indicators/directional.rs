//! Wilder's directional movement, from which +DI, −DI, DX, ADX and ADXR are made.

use super::{Column, rolling, trange::true_range};
use crate::simulation::Candles;

/// Calls `measure` with the smoothed +DM, −DM and true range of each candle from `period` on: the sums of candles 1
/// to `period` − 1, then `S − S ÷ period + x`, without a division in the chain.
pub(super) fn movement(
    candles: &Candles,
    period: usize,
    mut measure: impl FnMut(f64, f64, f64) -> f64,
) -> Column {
    let mut column = Column::undefined(candles.len(), period);
    let share = 1.0 / rolling::to_f64(period);
    let (mut plus, mut minus, mut range) = (0.0, 0.0, 0.0);
    for index in 1..candles.len() {
        let up = candles.high[index] - candles.high[index - 1];
        let down = candles.low[index - 1] - candles.low[index];
        if index >= period {
            plus -= plus * share;
            minus -= minus * share;
            range -= range * share;
        }
        if up > 0.0 && up > down {
            plus += up;
        } else if down > 0.0 && down > up {
            minus += down;
        }
        range += true_range(candles, index);
        if index >= period {
            column.values[index] = measure(plus, minus, range);
        }
    }
    column
}

/// 100 · part ÷ whole, 0 where there is no whole.
pub(super) fn percentage(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { 100.0 * (part / whole) } else { 0.0 }
}

/// DX; where neither direction moved it keeps its value, 0 at first.
pub(super) fn index(candles: &Candles, period: usize) -> Column {
    let mut last = 0.0;
    movement(candles, period, |plus, minus, _range| {
        let total = plus + minus;
        if total > 0.0 {
            last = 100.0 * ((plus - minus).abs() / total);
        }
        last
    })
}

/// ADX: Wilder's average of DX.
pub(super) fn average(candles: &Candles, period: usize) -> Column {
    rolling::wilder(&index(candles, period).values, period, period)
}
