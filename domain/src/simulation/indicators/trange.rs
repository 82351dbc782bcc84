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

/// max(high, close before) − min(low, close before), from the second candle on.
pub(super) fn true_ranges(candles: &Candles) -> Column {
    let mut column = Column::undefined(candles.len(), 1);
    let ranges = candles.high.iter().zip(&candles.low).skip(1).zip(&candles.close);
    for (out, ((high, low), before)) in column.values.iter_mut().skip(1).zip(ranges) {
        *out = rolling::larger(*high, *before) - rolling::smaller(*low, *before);
    }
    column
}
