//! ADOSC: fast less slow exponential average of the AD line, both started at its first value (TA-Lib `ADOSC`).

use super::{Arguments, Column, IndicatorSpec, ParameterSpec, ad::line, rolling};
use crate::simulation::Candles;

pub(super) static SPEC: IndicatorSpec = IndicatorSpec {
    name: "adosc",
    aliases: &[],
    description: "Chaikin oscillator: fast less slow exponential average of the accumulation and distribution line.",
    parameters: &[ParameterSpec::period("fast", 3), ParameterSpec::period("slow", 10)],
    outputs: &["value"],
    default_output: 0,
    first_defined,
    compute,
};

fn first_defined(arguments: &Arguments) -> usize {
    arguments.period(0).max(arguments.period(1)) - 1
}

fn compute(candles: &Candles, arguments: &Arguments) -> Vec<Column> {
    let line = line(candles);
    let first = line.values.first().copied().unwrap_or(0.0);
    let mut column = rolling::exponential(&line.values, 0, first, arguments.period(0));
    let slow = rolling::exponential(&line.values, 0, first, arguments.period(1));
    for (out, slow) in column.values.iter_mut().zip(&slow.values) {
        *out -= slow;
    }
    column.first_defined = first_defined(arguments).min(candles.len());
    column.values[..column.first_defined].fill(0.0);
    vec![column]
}
