//! DONCHIAN: the highest high and the lowest low of the last `period` candles and their middle.

use super::{Arguments, Column, IndicatorSpec, ParameterSpec, rolling};
use crate::simulation::Candles;

pub(super) static SPEC: IndicatorSpec = IndicatorSpec {
    name: "donchian",
    aliases: &[],
    description: "Donchian channel: highest high and lowest low of the last `period` candles, this one included, and their middle.",
    parameters: &[ParameterSpec::period("period", 20)],
    outputs: &["upper", "middle", "lower"],
    default_output: 1,
    first_defined,
    compute,
};

fn first_defined(arguments: &Arguments) -> usize {
    arguments.period(0) - 1
}

fn compute(candles: &Candles, arguments: &Arguments) -> Vec<Column> {
    let upper = rolling::best(&candles.high, arguments.period(0), rolling::larger);
    let lower = rolling::best(&candles.low, arguments.period(0), rolling::smaller);
    let mut middle = upper.clone();
    for (middle, lower) in middle.values.iter_mut().zip(&lower.values) {
        *middle = (*middle + lower) / 2.0;
    }
    vec![upper, middle, lower]
}
