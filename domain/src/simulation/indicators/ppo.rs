//! PPO: 100 · (EMA(fast) − EMA(slow)) ÷ EMA(slow) (TA-Lib `PPO` with exponential averages).

use super::{Arguments, Column, IndicatorSpec, ParameterSpec, rolling};
use crate::simulation::{Candles, source::Source};

pub(super) static SPEC: IndicatorSpec = IndicatorSpec {
    name: "ppo",
    aliases: &[],
    description: "Percentage price oscillator: fast EMA − slow EMA in percent of the slow one.",
    parameters: &[
        ParameterSpec::period("fast", 12),
        ParameterSpec::period("slow", 26),
        ParameterSpec::source(Source::Close),
    ],
    outputs: &["value"],
    default_output: 0,
    first_defined,
    compute,
};

fn first_defined(arguments: &Arguments) -> usize {
    arguments.period(0).max(arguments.period(1)) - 1
}

/// Each average is seeded where it begins itself; a fast period above the slow one changes places with it.
fn compute(candles: &Candles, arguments: &Arguments) -> Vec<Column> {
    let values = arguments.source.column(candles);
    let (one, other) = (arguments.period(0), arguments.period(1));
    let mut fast = rolling::seeded(&values, 0, one.min(other));
    let slow = rolling::seeded(&values, 0, one.max(other));
    for (out, slow) in fast.values.iter_mut().zip(&slow.values) {
        *out = if *slow == 0.0 { 0.0 } else { (*out - slow) / slow * 100.0 };
    }
    fast.first_defined = slow.first_defined;
    vec![fast]
}
