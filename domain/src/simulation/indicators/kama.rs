//! KAMA: an exponential average that follows faster the straighter the way was (TA-Lib `KAMA`).

use super::{Arguments, Column, IndicatorSpec, ParameterSpec, rolling};
use crate::simulation::{Candles, source::Source};

/// The way starts afresh after this many values.
const RESTART: usize = 64;

/// The weight's constants for 30 and for 2 candles.
const SLOW: f64 = 2.0 / 31.0;
const FAST: f64 = 2.0 / 3.0;

pub(super) static SPEC: IndicatorSpec = IndicatorSpec {
    name: "kama",
    aliases: &[],
    description: "Kaufman's adaptive moving average: its weight follows the efficiency of the last candles' way.",
    parameters: &[ParameterSpec::period("period", 10), ParameterSpec::source(Source::Close)],
    outputs: &["value"],
    default_output: 0,
    first_defined,
    compute,
};

fn first_defined(arguments: &Arguments) -> usize {
    arguments.period(0)
}

/// The efficiency is |change over the period| ÷ Σ|change per candle|, 1 where that sum is 0; the weight its place
/// between both constants, squared. It starts from the value before the first one.
fn compute(candles: &Candles, arguments: &Arguments) -> Vec<Column> {
    let values = arguments.source.column(candles);
    let period = arguments.period(0);
    let mut column = Column::undefined(values.len(), period);
    let mut average = 0.0;
    let way = ways(&values, period);
    for index in column.first_defined..values.len() {
        let way = way.values[index];
        if index == period {
            average = values[index - 1];
        }
        let change = (values[index] - values[index - period]).abs();
        let efficiency = if way <= change { 1.0 } else { change / way };
        let weight = efficiency * (FAST - SLOW) + SLOW;
        average += weight * weight * (values[index] - average);
        column.values[index] = average;
    }
    vec![column]
}

/// Σ|change per candle| of the last `period` candles.
fn ways(values: &[f64], period: usize) -> Column {
    let step = |index: usize| (values[index] - values[index - 1]).abs();
    let begin = |index: usize| {
        let way = (index + 1 - period..=index).map(step).sum::<f64>();
        (way, way)
    };
    rolling::run(values.len(), period, RESTART.max(period), begin, |way, from, out| {
        for (out, index) in out.iter_mut().zip(from..) {
            *way += step(index) - step(index - period);
            *out = *way;
        }
    })
}
