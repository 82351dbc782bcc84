//! ADX: Wilder's average of DX (TA-Lib `ADX`).

use super::{Arguments, Column, IndicatorSpec, ParameterSpec, directional};
use crate::simulation::Candles;

pub(super) static SPEC: IndicatorSpec = IndicatorSpec {
    name: "adx",
    aliases: &[],
    description: "Average directional movement index: Wilder's average of DX.",
    parameters: &[ParameterSpec::period("period", 14)],
    outputs: &["value"],
    default_output: 0,
    first_defined,
    compute,
};

fn first_defined(arguments: &Arguments) -> usize {
    2 * arguments.period(0) - 1
}

fn compute(candles: &Candles, arguments: &Arguments) -> Vec<Column> {
    vec![directional::average(candles, arguments.period(0))]
}
