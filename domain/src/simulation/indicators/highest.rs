//! Highest: the largest of the last `period` values, the current one included (TA-Lib `MAX`).

use super::{Arguments, Column, IndicatorSpec, ParameterSpec, rolling};
use crate::simulation::{Candles, source::Source};

pub(super) static SPEC: IndicatorSpec = IndicatorSpec {
    name: "highest",
    aliases: &["max"],
    description: "The largest of the last `period` values, the current one included.",
    parameters: &[ParameterSpec::source(Source::High), ParameterSpec::period("period", 20)],
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
    vec![rolling::best(&values, arguments.period(0), rolling::larger)]
}
