//! STDDEV: the population standard deviation of the last `period` values (TA-Lib `STDDEV`).

use super::{Arguments, Column, IndicatorSpec, ParameterSpec, rolling};
use crate::simulation::{Candles, source::Source};

/// The sum of squares starts afresh after this many values: a calm window soon forgets a wild one.
const RESTART: usize = 64;

pub(super) static SPEC: IndicatorSpec = IndicatorSpec {
    name: "stddev",
    aliases: &[],
    description: "Population standard deviation of the last `period` values.",
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
    vec![deviation(&arguments.source.column(candles), arguments.period(0))]
}

/// The population standard deviation over a moving window.
pub(super) fn deviation(values: &[f64], period: usize) -> Column {
    let mut column = Column::undefined(values.len(), period - 1);
    let share = 1.0 / rolling::to_f64(period);
    let restart = RESTART.max(period);
    let mut window = Window::default();
    let first = column.first_defined;
    let mut left = 0;
    for (index, out) in column.values.iter_mut().enumerate().skip(first) {
        if left == 0 || !window.is_moved(values[index], values[index - period], share) {
            window = Window::over(&values[index + 1 - period..=index]);
        }
        left = if left == 0 { restart - 1 } else { left - 1 };
        *out = (rolling::larger(window.squares, 0.0) * share).sqrt();
    }
    column
}

/// Squared distances from the mean, moved on by Welford's update. Values are taken as distances from a mean of before,
/// so that a high price leaves digits for its moves.
#[derive(Debug, Default)]
struct Window {
    origin: f64,
    /// Less `origin`.
    mean: f64,
    squares: f64,
    /// What was added to and taken from `squares`: its rounding errors are a part of that.
    moved: f64,
}

impl Window {
    /// In passes over all of its values. What the mean lacks in digits is the mean of the distances from it: equal values
    /// have no other.
    fn over(values: &[f64]) -> Self {
        let count = rolling::to_f64(values.len());
        let origin = rolling::sum(values) / count;
        let mean = rolling::sum_of(values, |value| value - origin) / count;
        let distance = |value: f64| value - origin - mean;
        let squares = rolling::sum_of(values, |value| distance(value) * distance(value));
        Self { origin, mean, squares, moved: 0.0 }
    }

    /// Moves on by one value; false if that costs digits, so that it has to be made anew.
    fn is_moved(&mut self, new: f64, old: f64, share: f64) -> bool {
        /// Times the least significant digit, 2⁻⁵², it is 1e-10.
        const LOSS: f64 = 2.2e-6;
        let (new, old) = (new - self.origin, old - self.origin);
        let change = new - old;
        let before = self.mean;
        self.mean += change * share;
        self.squares += change * ((new - self.mean) + (old - before));
        self.moved += change.abs() * (new.abs() + old.abs());
        self.squares >= self.moved * LOSS
    }
}
