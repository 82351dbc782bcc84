//! −DI: 100 · smoothed −DM ÷ smoothed true range (TA-Lib `MINUS_DI`).

use super::{
    Arguments, Column, IndicatorSpec, ParameterSpec,
    directional::{movement, percentage},
};
use crate::simulation::Candles;

pub(super) static SPEC: IndicatorSpec = IndicatorSpec {
    name: "minus_di",
    aliases: &[],
    description: "Directional indicator −: smoothed directional movement in percent of the true range.",
    parameters: &[ParameterSpec::period("period", 14)],
    outputs: &["value"],
    default_output: 0,
    first_defined,
    compute,
};

fn first_defined(arguments: &Arguments) -> usize {
    arguments.period(0)
}

fn compute(candles: &Candles, arguments: &Arguments) -> Vec<Column> {
    vec![movement(candles, arguments.period(0), |_plus, minus, range| percentage(minus, range))]
}
