//! RSI: 100 · G ÷ (G + L) of Wilder's averages of gains and losses, 0 when both are 0 (TA-Lib `RSI`).

use super::{
    Arguments, Column, IndicatorSpec, ParameterSpec, rolling,
    smoothing::{Smoothing, padded},
};
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
    if values.len() <= period {
        return Column::undefined(values.len(), period);
    }
    let (mut gain, mut loss) = (0.0, 0.0);
    for pair in values[..=period].windows(2) {
        let (up, down) = split(pair[1] - pair[0]);
        gain += up;
        loss += down;
    }
    let count = rolling::to_f64(period);
    let [mut gains, mut losses] =
        [gain / count, loss / count].map(|seed| Smoothing::new(seed, 1.0 / count));
    let mut measured = Vec::with_capacity(values.len());
    measured.resize(period, 0.0);
    measured.push(measure(gains.average, losses.average));
    let mut four = |before: [f64; 4], now: [f64; 4]| -> [f64; 4] {
        let changes = std::array::from_fn(|lane| split(now[lane] - before[lane]));
        let changes: [(f64, f64); 4] = changes;
        let gains = gains.four(changes.map(|(up, _)| up));
        let losses = losses.four(changes.map(|(_, down)| down));
        std::array::from_fn(|lane| measure(gains[lane], losses[lane]))
    };
    let (now, last) = values[period + 1..].as_chunks::<4>();
    let (before, _) = values[period..].as_chunks::<4>();
    for (before, now) in before.iter().zip(now) {
        measured.extend_from_slice(&four(*before, *now));
    }
    let before = &values[values.len() - 1 - last.len()..][..last.len()];
    measured.extend_from_slice(&four(padded(before), padded(last))[..last.len()]);
    Column { first_defined: period, values: measured }
}

/// A change as a gain and a loss, one of which is zero.
fn split(change: f64) -> (f64, f64) {
    (rolling::larger(change, 0.0), rolling::larger(-change, 0.0))
}
