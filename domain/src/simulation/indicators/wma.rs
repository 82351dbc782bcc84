//! WMA: the mean of the last `period` values with weights 1 to `period`, the newest the heaviest (TA-Lib `WMA`).

use super::{Arguments, Column, IndicatorSpec, ParameterSpec, rolling};
use crate::simulation::{Candles, source::Source};

/// Both running sums start afresh after this many values.
const RESTART: usize = 4_096;

pub(super) static SPEC: IndicatorSpec = IndicatorSpec {
    name: "wma",
    aliases: &[],
    description: "Weighted moving average with linear weights, the newest value the heaviest.",
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
    vec![weighted(&arguments.source.column(candles), arguments.period(0))]
}

/// The linearly weighted mean over a moving window.
pub(super) fn weighted(values: &[f64], period: usize) -> Column {
    let newest = rolling::to_f64(period);
    let divisor = newest * (newest + 1.0) / 2.0;
    let begin = |index: usize| {
        let window = &values[index + 1 - period..=index];
        let mut weighted = 0.0;
        for (index, value) in window.iter().enumerate() {
            weighted += rolling::to_f64(index + 1) * value;
        }
        ((rolling::sum(window), weighted), weighted / divisor)
    };
    let restart = RESTART.max(period);
    rolling::run(values.len(), period - 1, restart, begin, |(sum, weighted), from, out| {
        let leaving = &values[from - period..];
        for ((out, new), old) in out.iter_mut().zip(&values[from..]).zip(leaving) {
            *weighted += newest * new - *sum;
            *sum += new - old;
            *out = *weighted / divisor;
        }
    })
}
