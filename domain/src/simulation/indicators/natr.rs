//! NATR: the average true range in percent of the close (TA-Lib `NATR`).

use super::{Arguments, Column, IndicatorSpec, ParameterSpec, rolling, trange::true_ranges};
use crate::simulation::Candles;

pub(super) static SPEC: IndicatorSpec = IndicatorSpec {
    name: "natr",
    aliases: &[],
    description: "Average true range in percent of the close.",
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
    let mut column = rolling::wilder(&true_ranges(candles).values, 1, arguments.period(0));
    for (out, close) in column.values.iter_mut().zip(&candles.close) {
        *out = if *close == 0.0 { 0.0 } else { *out / close * 100.0 };
    }
    vec![column]
}
