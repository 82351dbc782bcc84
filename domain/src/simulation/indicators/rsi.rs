//! RSI: 100 · G ÷ (G + L) of Wilder's averages of gains and losses, 0 when both are 0 (TA-Lib `RSI`).

use super::{Arguments, Column, IndicatorSpec, ParameterSpec, rolling};
use crate::simulation::{Candles, source::Source};

pub(super) static SPEC: IndicatorSpec = IndicatorSpec {
    name: "rsi",
    aliases: &[],
    description: "Relative strength index: 100 × average gain ÷ (average gain + average loss), averaged as Wilder does; 0 if nothing moved.",
    parameters: &[ParameterSpec::period("period", 14), ParameterSpec::source(Source::Close)],
    outputs: &["value"],
    default_output: 0,
    first_defined,
    compute,
};

fn first_defined(arguments: &Arguments) -> usize {
    arguments.period(0)
}

fn compute(candles: &Candles, arguments: &Arguments) -> Vec<Column> {
    vec![strengths(&arguments.source.column(candles), arguments.period(0))]
}

/// The relative strength index of a column that is defined from its beginning.
pub(super) fn strengths(values: &[f64], period: usize) -> Column {
    gains_and_losses(values, period, |gain, loss| {
        let total = gain + loss;
        if total > 0.0 { 100.0 * (gain / total) } else { 0.0 }
    })
}

/// What `measure` makes of Wilder's averages of gains and losses, seeded with the means of the first `period`.
pub(super) fn gains_and_losses(
    values: &[f64],
    period: usize,
    measure: impl Fn(f64, f64) -> f64,
) -> Column {
    let mut column = Column::undefined(values.len(), period);
    if column.first_defined == values.len() {
        return column;
    }
    let (mut gain, mut loss) = (0.0, 0.0);
    for pair in values[..=period].windows(2) {
        let (up, down) = split(pair[1] - pair[0]);
        gain += up;
        loss += down;
    }
    let divisor = rolling::to_f64(period);
    gain /= divisor;
    loss /= divisor;
    column.values[period] = measure(gain, loss);
    let previous = rolling::to_f64(period - 1);
    for (out, pair) in column.values[period + 1..].iter_mut().zip(values[period..].windows(2)) {
        let (up, down) = split(pair[1] - pair[0]);
        gain = (gain * previous + up) / divisor;
        loss = (loss * previous + down) / divisor;
        *out = measure(gain, loss);
    }
    column
}

/// A change as a gain and a loss, one of which is zero.
fn split(change: f64) -> (f64, f64) {
    (rolling::larger(change, 0.0), rolling::larger(-change, 0.0))
}
