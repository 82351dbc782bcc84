//! ATR: Wilder's average of the true range, seeded with the mean of the first `period` of them (TA-Lib `ATR`).

use super::{Arguments, Column, IndicatorSpec, ParameterSpec, rolling, trange::true_ranges};
use crate::simulation::Candles;

pub(super) static SPEC: IndicatorSpec = IndicatorSpec {
    name: "atr",
    aliases: &[],
    description: "Average true range, averaged as Wilder does.",
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
    vec![rolling::wilder(&true_ranges(candles).values, 1, arguments.period(0))]
}
