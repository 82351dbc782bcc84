//! TEMA: 3 · EMA − 3 · EMA of EMA + EMA of EMA of EMA (TA-Lib `TEMA`).

use super::{Arguments, Column, IndicatorSpec, ParameterSpec, rolling};
use crate::simulation::{Candles, source::Source};

pub(super) static SPEC: IndicatorSpec = IndicatorSpec {
    name: "tema",
    aliases: &[],
    description: "Triple exponential moving average: 3 × EMA − 3 × EMA of EMA + EMA of EMA of EMA.",
    parameters: &[ParameterSpec::period("period", 20), ParameterSpec::source(Source::Close)],
    outputs: &["value"],
    default_output: 0,
    first_defined,
    compute,
};

fn first_defined(arguments: &Arguments) -> usize {
    3 * arguments.period(0) - 3
}

fn compute(candles: &Candles, arguments: &Arguments) -> Vec<Column> {
    let values = arguments.source.column(candles);
    let period = arguments.period(0);
    let once = rolling::seeded(&values, 0, period);
    let twice = rolling::seeded(&once.values, once.first_defined, period);
    let mut thrice = rolling::seeded(&twice.values, twice.first_defined, period);
    for index in thrice.first_defined..values.len() {
        thrice.values[index] += 3.0 * once.values[index] - 3.0 * twice.values[index];
    }
    vec![thrice]
}
