//! LINEARREG: the end of the least-squares line through the last `period` values (TA-Lib `LINEARREG`).

use super::{Arguments, Column, IndicatorSpec, ParameterSpec, rolling, wma::weighted};
use crate::simulation::{Candles, source::Source};

pub(super) static SPEC: IndicatorSpec = IndicatorSpec {
    name: "linearreg",
    aliases: &[],
    description: "Linear regression: the end of the least-squares line through the last `period` values.",
    parameters: &[ParameterSpec::period("period", 14), ParameterSpec::source(Source::Close)],
    outputs: &["value"],
    default_output: 0,
    first_defined,
    compute,
};

fn first_defined(arguments: &Arguments) -> usize {
    arguments.period(0) - 1
}

/// The line's end is 3 · WMA − 2 · SMA.
fn compute(candles: &Candles, arguments: &Arguments) -> Vec<Column> {
    let values = arguments.source.column(candles);
    let mut column = weighted(&values, arguments.period(0));
    let mean = rolling::mean(&values, 0, arguments.period(0));
    for (out, mean) in column.values.iter_mut().zip(&mean.values) {
        *out = 3.0 * *out - 2.0 * mean;
    }
    vec![column]
}
