//! DEMA: 2 · EMA − EMA of EMA (TA-Lib `DEMA`).

use super::{Arguments, Column, IndicatorSpec, ParameterSpec, rolling};
use crate::simulation::{Candles, source::Source};

pub(super) static SPEC: IndicatorSpec = IndicatorSpec {
    name: "dema",
    aliases: &[],
    description: "Double exponential moving average: 2 × EMA − EMA of EMA.",
    parameters: &[ParameterSpec::period("period", 20), ParameterSpec::source(Source::Close)],
    outputs: &["value"],
    default_output: 0,
    first_defined,
    compute,
};

fn first_defined(arguments: &Arguments) -> usize {
    2 * arguments.period(0) - 2
}

fn compute(candles: &Candles, arguments: &Arguments) -> Vec<Column> {
    let values = arguments.source.column(candles);
    let period = arguments.period(0);
    let once = rolling::seeded(&values, 0, period);
    let mut twice = rolling::seeded(&once.values, once.first_defined, period);
    let from = twice.first_defined;
    for (out, once) in twice.values[from..].iter_mut().zip(&once.values[from..]) {
        *out = 2.0 * once - *out;
    }
    vec![twice]
}
