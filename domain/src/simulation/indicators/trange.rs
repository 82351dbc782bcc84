//! TRANGE: the range of a candle together with the close before it (TA-Lib `TRANGE`).

use super::{Arguments, Column, IndicatorSpec, rolling};
use crate::simulation::Candles;

pub(super) static SPEC: IndicatorSpec = IndicatorSpec {
    name: "trange",
    aliases: &["true_range"],
    description: "True range: the range of a candle together with the close before it.",
    parameters: &[],
    outputs: &["value"],
    default_output: 0,
    first_defined,
    compute,
};

fn first_defined(_arguments: &Arguments) -> usize {
    1
}

fn compute(candles: &Candles, _arguments: &Arguments) -> Vec<Column> {
    vec![true_ranges(candles)]
}

/// The range of each candle from the second one on.
pub(super) fn true_ranges(candles: &Candles) -> Column {
    let mut values = Vec::with_capacity(candles.len());
    values.extend(candles.open_time.first().map(|_| 0.0));
    values.extend((1..candles.len()).map(|index| true_range(candles, index)));
    Column { first_defined: candles.len().min(1), values }
}

/// max(high, close before) − min(low, close before).
pub(super) fn true_range(candles: &Candles, index: usize) -> f64 {
    let before = candles.close[index - 1];
    rolling::larger(candles.high[index], before) - rolling::smaller(candles.low[index], before)
}
