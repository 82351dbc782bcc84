//! RSI: 100 · G ÷ (G + L) of Wilder's averages of gains and losses, 0 when both are 0 (TA-Lib `RSI`).

use super::{
    Arguments, Column, IndicatorSpec, ParameterSpec, rolling,
    smoothing::{Smoothing, padded},
    stream::{Stream, collect},
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

/// The same in steps.
pub(super) fn stream<'a>(values: &'a [f64], arguments: &Arguments) -> impl Stream + 'a {
    Movements::new(values, arguments.period(0), strength)
}

/// The relative strength index of a column that is defined from its beginning.
pub(super) fn strengths(values: &[f64], period: usize) -> Column {
    gains_and_losses(values, period, strength)
}

fn strength(gain: f64, loss: f64) -> f64 {
    let total = gain + loss;
    if total > 0.0 { 100.0 * (gain / total) } else { 0.0 }
}

/// What `measure` makes of Wilder's averages of gains and losses, seeded with the means of the first `period`.
pub(super) fn gains_and_losses(
    values: &[f64],
    period: usize,
    measure: impl Fn(f64, f64) -> f64,
) -> Column {
    collect(Movements::new(values, period, measure), values.len(), period)
}

/// As [`gains_and_losses`], in steps.
struct Movements<'a, M> {
    values: &'a [f64],
    period: usize,
    measure: M,
    gains: Smoothing,
    losses: Smoothing,
    /// Values so far.
    done: usize,
}

impl<'a, M: Fn(f64, f64) -> f64> Movements<'a, M> {
    fn new(values: &'a [f64], period: usize, measure: M) -> Self {
        let (mut gain, mut loss) = (0.0, 0.0);
        for pair in values.get(..=period).unwrap_or_default().windows(2) {
            let (up, down) = split(pair[1] - pair[0]);
            gain += up;
            loss += down;
        }
        let count = rolling::to_f64(period);
        let [gains, losses] =
            [gain / count, loss / count].map(|seed| Smoothing::new(seed, 1.0 / count));
        Self { values, period: period.min(values.len()), measure, gains, losses, done: 0 }
    }

    fn four(&mut self, before: [f64; 4], now: [f64; 4]) -> [f64; 4] {
        let changes: [(f64, f64); 4] = std::array::from_fn(|lane| split(now[lane] - before[lane]));
        let gains = self.gains.four(changes.map(|(up, _)| up));
        let losses = self.losses.four(changes.map(|(_, down)| down));
        std::array::from_fn(|lane| (self.measure)(gains[lane], losses[lane]))
    }
}

impl<M: Fn(f64, f64) -> f64> Stream for Movements<'_, M> {
    fn extend(&mut self, measured: &mut Vec<f64>) {
        /// So many values a step, a multiple of four.
        const STEP: usize = 256;
        let Self { values, period, done, .. } = *self;
        if done < period {
            measured.resize(measured.len() + period - done, 0.0);
            self.done = period;
        } else if done == period && period < values.len() {
            measured.push((self.measure)(self.gains.average, self.losses.average));
            self.done += 1;
        } else if done < values.len() {
            let end = values.len().min(done + STEP);
            let (now, last) = values[done..end].as_chunks::<4>();
            let (before, _) = values[done - 1..end].as_chunks::<4>();
            for (before, now) in before.iter().zip(now) {
                measured.extend_from_slice(&self.four(*before, *now));
            }
            if !last.is_empty() {
                let before = &values[end - 1 - last.len()..end - 1];
                let four = self.four(padded(before), padded(last));
                measured.extend_from_slice(&four[..last.len()]);
            }
            self.done = end;
        }
    }
}

/// A change as a gain and a loss, one of which is zero.
fn split(change: f64) -> (f64, f64) {
    (rolling::larger(change, 0.0), rolling::larger(-change, 0.0))
}
