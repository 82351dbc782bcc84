//! EMA: seeded with the mean of the first `period` values, then `e += 2 ÷ (period + 1) · (x − e)` (TA-Lib `EMA`).

use super::{
    Arguments, Column, IndicatorSpec, ParameterSpec, rolling,
    stream::{Stream, collect},
};
use crate::simulation::{Candles, source::Source};

pub(super) static SPEC: IndicatorSpec = IndicatorSpec {
    name: "ema",
    aliases: &[],
    description: "Exponential moving average with weight 2 ÷ (period + 1), seeded with a simple average.",
    parameters: &[ParameterSpec::period("period", 20), ParameterSpec::source(Source::Close)],
    outputs: &["value"],
    default_output: 0,
    first_defined,
    compute,
};

fn first_defined(arguments: &Arguments) -> usize {
    arguments.period(0) - 1
}

fn compute(candles: &Candles, arguments: &Arguments) -> Vec<Column> {
    let values = arguments.source.column(candles);
    vec![collect(stream(&values, arguments), values.len(), first_defined(arguments))]
}

/// The same in steps.
pub(super) fn stream<'a>(values: &'a [f64], arguments: &Arguments) -> impl Stream + 'a {
    rolling::moving_exponential(values, 0, arguments.period(0))
}
