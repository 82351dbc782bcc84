//! MACD: EMA(fast) − EMA(slow), its EMA(signal) and their difference, all hidden until the signal exists (TA-Lib `MACD`).

use super::{Arguments, Column, IndicatorSpec, ParameterSpec, rolling};
use crate::simulation::{Candles, source::Source};

pub(super) static SPEC: IndicatorSpec = IndicatorSpec {
    name: "macd",
    aliases: &[],
    description: "Moving average convergence divergence: fast EMA − slow EMA, its signal line and their difference.",
    parameters: &[
        ParameterSpec::period("fast", 12),
        ParameterSpec::period("slow", 26),
        ParameterSpec::period("signal", 9),
        ParameterSpec::source(Source::Close),
    ],
    outputs: &["macd", "signal", "histogram"],
    default_output: 0,
    first_defined,
    compute,
};

fn first_defined(arguments: &Arguments) -> usize {
    arguments.period(0).max(arguments.period(1)) + arguments.period(2) - 2
}

fn compute(candles: &Candles, arguments: &Arguments) -> Vec<Column> {
    let values = arguments.source.column(candles);
    let (mut macd, mut histogram) = averages(&values, arguments.period(0), arguments.period(1));
    let slow_first = macd.first_defined;
    for (macd, slow) in macd.values.iter_mut().zip(&histogram.values) {
        *macd -= slow;
    }
    let signal = rolling::seeded(&macd.values, slow_first, arguments.period(2));
    for column in [&mut macd, &mut histogram] {
        column.first_defined = signal.first_defined;
        column.values[..signal.first_defined].fill(0.0);
    }
    for index in signal.first_defined..values.len() {
        histogram.values[index] = macd.values[index] - signal.values[index];
    }
    vec![macd, signal, histogram]
}

/// The fast and the slow exponential average. The fast one is seeded with the mean of the values that end where the
/// slow one begins; a fast period above the slow one changes places with it.
fn averages(values: &[f64], one: usize, other: usize) -> (Column, Column) {
    let (fast, slow) = (one.min(other), one.max(other));
    let average = |period: usize| {
        let seed = rolling::mean_at(values, slow - 1, period);
        rolling::exponential(values, slow - 1, seed, period)
    };
    (average(fast), average(slow))
}
