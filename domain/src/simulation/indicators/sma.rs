//! SMA: the mean of the last `period` values (TA-Lib `SMA`).

use super::{Arguments, Column, IndicatorSpec, ParameterSpec, rolling, stream::Stream};
use crate::simulation::{Candles, source::Source};

pub(super) static SPEC: IndicatorSpec = IndicatorSpec {
    name: "sma",
    aliases: &[],
    description: "Simple moving average: the mean of the last `period` values.",
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
    vec![rolling::mean(&arguments.source.column(candles), 0, arguments.period(0))]
}

/// The same in steps.
pub(super) fn stream<'a>(values: &'a [f64], arguments: &Arguments) -> impl Stream + 'a {
    rolling::moving_mean(values, 0, arguments.period(0))
}
