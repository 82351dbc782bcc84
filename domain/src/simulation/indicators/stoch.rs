//! STOCH: 100 · (close − lowest low) ÷ (highest high − lowest low) of `k` candles, smoothed twice (TA-Lib `STOCH`).

use super::{Arguments, Column, IndicatorSpec, ParameterSpec, rolling};
use crate::simulation::Candles;

pub(super) static SPEC: IndicatorSpec = IndicatorSpec {
    name: "stoch",
    aliases: &["stochastic"],
    description: "Stochastic oscillator: where the close lies in the range of `k` candles, smoothed, and its average.",
    parameters: &[
        ParameterSpec::period("k", 14),
        ParameterSpec::period("smooth", 3),
        ParameterSpec::period("d", 3),
    ],
    outputs: &["k", "d"],
    default_output: 0,
    first_defined,
    compute,
};

fn first_defined(arguments: &Arguments) -> usize {
    arguments.period(0) + arguments.period(1) + arguments.period(2) - 3
}

fn compute(candles: &Candles, arguments: &Arguments) -> Vec<Column> {
    let raw = raw(&candles.high, &candles.low, &candles.close, arguments.period(0));
    let mut k = rolling::mean(&raw.values, raw.first_defined, arguments.period(1));
    let d = rolling::mean(&k.values, k.first_defined, arguments.period(2));
    k.values[..d.first_defined].fill(0.0);
    k.first_defined = d.first_defined;
    vec![k, d]
}

/// 100 · (close − lowest low) ÷ (highest high − lowest low), 0 where both are the same.
pub(super) fn raw(high: &[f64], low: &[f64], close: &[f64], period: usize) -> Column {
    let mut raw = rolling::best(high, period, rolling::larger);
    let lows = rolling::best(low, period, rolling::smaller);
    let from = raw.first_defined;
    let closes = close[from..].iter().zip(&lows.values[from..]);
    for (raw, (close, low)) in raw.values[from..].iter_mut().zip(closes) {
        let range = *raw - low;
        *raw = if range > 0.0 { (close - low) / (range / 100.0) } else { 0.0 };
    }
    raw
}
