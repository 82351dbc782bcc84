//! BBANDS: SMA ± `deviations` population standard deviations of the last `period` values (TA-Lib `BBANDS`).

use super::{
    Arguments, Column, IndicatorSpec, ParameterKind, ParameterSpec, rolling, stddev::deviation,
};
use crate::simulation::{Candles, source::Source};

pub(super) static SPEC: IndicatorSpec = IndicatorSpec {
    name: "bbands",
    aliases: &["bollinger", "bollinger_bands"],
    description: "Bollinger bands: simple moving average ± deviations × population standard deviation.",
    parameters: &[
        ParameterSpec::period("period", 20),
        ParameterSpec {
            name: "deviations",
            kind: ParameterKind::Number { minimum: 0.0, maximum: 100.0, default: 2.0 },
        },
        ParameterSpec::source(Source::Close),
    ],
    outputs: &["upper", "middle", "lower"],
    default_output: 1,
    first_defined,
    compute,
};

fn first_defined(arguments: &Arguments) -> usize {
    arguments.period(0) - 1
}

fn compute(candles: &Candles, arguments: &Arguments) -> Vec<Column> {
    let values = arguments.source.column(candles);
    let (period, deviations) = (arguments.period(0), arguments.numbers[1]);
    let middle = rolling::mean(&values, 0, period);
    let mut lower = deviation(&values, period);
    let mut upper = Column::undefined(values.len(), period - 1);
    for index in middle.first_defined..values.len() {
        let distance = deviations * lower.values[index];
        upper.values[index] = middle.values[index] + distance;
        lower.values[index] = middle.values[index] - distance;
    }
    vec![upper, middle, lower]
}
