//! WMA: the mean of the last `period` values with weights 1 to `period`, the newest the heaviest (TA-Lib `WMA`).

use std::ops::Range;

use super::{Arguments, Column, IndicatorSpec, ParameterSpec, rolling};
use crate::simulation::{Candles, source::Source};

/// Both running sums start afresh after this many values.
const RESTART: usize = 4_096;

pub(super) static SPEC: IndicatorSpec = IndicatorSpec {
    name: "wma",
    aliases: &[],
    description: "Weighted moving average with linear weights, the newest value the heaviest.",
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
    vec![weighted(&arguments.source.column(candles), arguments.period(0))]
}

/// The linearly weighted mean over a moving window.
pub(super) fn weighted(values: &[f64], period: usize) -> Column {
    let mut column = Column::undefined(values.len(), period - 1);
    let newest = rolling::to_f64(period);
    let divisor = newest * (newest + 1.0) / 2.0;
    for Range { start, end } in
        rolling::stretches(column.first_defined, values.len(), RESTART.max(period))
    {
        let window = &values[start + 1 - period..=start];
        let mut sum = rolling::sum(window);
        let mut weighted = 0.0;
        for (index, value) in window.iter().enumerate() {
            weighted += rolling::to_f64(index + 1) * value;
        }
        column.values[start] = weighted / divisor;
        for index in start + 1..end {
            weighted += newest * values[index] - sum;
            sum += values[index] - values[index - period];
            column.values[index] = weighted / divisor;
        }
    }
    column
}
