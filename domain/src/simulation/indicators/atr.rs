//! ATR: Wilder's average of the true range, seeded with the mean of the first `period` of them (TA-Lib `ATR`).

use super::{Arguments, Column, IndicatorSpec, ParameterSpec, rolling};
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
    let period = arguments.period(0);
    let mut column = Column::undefined(candles.len(), period);
    if column.first_defined == candles.len() {
        return vec![column];
    }
    let divisor = rolling::to_f64(period);
    let mut average = 0.0;
    for index in 1..=period {
        average += true_range(candles, index);
    }
    average /= divisor;
    column.values[period] = average;
    let previous = rolling::to_f64(period - 1);
    for index in period + 1..candles.len() {
        average = (average * previous + true_range(candles, index)) / divisor;
        column.values[index] = average;
    }
    vec![column]
}

/// The range of the candle together with the close before it; `index` is at least 1.
fn true_range(candles: &Candles, index: usize) -> f64 {
    let (high, low, before) = (candles.high[index], candles.low[index], candles.close[index - 1]);
    rolling::larger(high, before) - rolling::smaller(low, before)
}
