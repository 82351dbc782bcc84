//! ADXR: the mean of ADX and ADX `period` − 1 candles earlier (TA-Lib `ADXR`).

use super::{Arguments, Column, IndicatorSpec, ParameterSpec, directional};
use crate::simulation::Candles;

pub(super) static SPEC: IndicatorSpec = IndicatorSpec {
    name: "adxr",
    aliases: &[],
    description: "Average directional movement rating: the mean of ADX now and `period` − 1 candles earlier.",
    parameters: &[ParameterSpec::period("period", 14)],
    outputs: &["value"],
    default_output: 0,
    first_defined,
    compute,
};

fn first_defined(arguments: &Arguments) -> usize {
    3 * arguments.period(0) - 2
}

fn compute(candles: &Candles, arguments: &Arguments) -> Vec<Column> {
    let period = arguments.period(0);
    let average = directional::average(candles, period);
    let mut column = Column::undefined(candles.len(), first_defined(arguments));
    for index in column.first_defined..candles.len() {
        column.values[index] = (average.values[index] + average.values[index + 1 - period]) / 2.0;
    }
    vec![column]
}
