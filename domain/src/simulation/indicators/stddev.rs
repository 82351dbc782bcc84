//! STDDEV: the population standard deviation of the last `period` values (TA-Lib `STDDEV`).

use std::ops::Range;

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

/// The population standard deviation over a moving window, by Welford's update: it sums squared distances from
/// the mean, so that nothing large cancels.
pub(super) fn deviation(values: &[f64], period: usize) -> Column {
    let mut column = Column::undefined(values.len(), period - 1);
    let divisor = rolling::to_f64(period);
    for Range { start, end } in
        rolling::stretches(column.first_defined, values.len(), RESTART.max(period))
    {
        let window = &values[start + 1 - period..=start];
        let mut mean = rolling::sum(window) / divisor;
        let mut squares = 0.0;
        for value in window {
            squares += (value - mean) * (value - mean);
        }
        column.values[start] = (squares / divisor).sqrt();
        for index in start + 1..end {
            let (new, old) = (values[index], values[index - period]);
            let change = new - old;
            let before = mean;
            mean += change / divisor;
            squares += change * ((new - mean) + (old - before));
            squares = rolling::larger(squares, 0.0);
            column.values[index] = (squares / divisor).sqrt();
        }
    }
    column
}
