//! WILLR: −100 · (highest high − close) ÷ (highest high − lowest low), 0 where both are the same (TA-Lib `WILLR`).

use super::{Arguments, Column, IndicatorSpec, ParameterSpec, rolling};
use crate::simulation::Candles;

pub(super) static SPEC: IndicatorSpec = IndicatorSpec {
    name: "willr",
    aliases: &["williams_r"],
    description: "Williams %R: how far the close lies below the highest high, in percent of the range, negative.",
    parameters: &[ParameterSpec::period("period", 14)],
    outputs: &["value"],
    default_output: 0,
    first_defined,
    compute,
};

fn first_defined(arguments: &Arguments) -> usize {
    arguments.period(0) - 1
}

fn compute(candles: &Candles, arguments: &Arguments) -> Vec<Column> {
    let period = arguments.period(0);
    let mut column = rolling::best(&candles.high, period, rolling::larger);
    let lows = rolling::best(&candles.low, period, rolling::smaller);
    for (out, (close, low)) in column.values.iter_mut().zip(candles.close.iter().zip(&lows.values))
    {
        let range = *out - low;
        *out = if range > 0.0 { (*out - close) / (range / -100.0) } else { 0.0 };
    }
    column.values[..column.first_defined].fill(0.0);
    vec![column]
}
