//! EMA: seeded with the mean of the first `period` values, then `e += 2 ÷ (period + 1) · (x − e)` (TA-Lib `EMA`).

use super::{Arguments, Column, IndicatorSpec, ParameterSpec, rolling};
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
    let period = arguments.period(0);
    vec![rolling::seeded(&values, 0, period)]
}
