//! TRIX: the change in percent of an EMA of an EMA of an EMA (TA-Lib `TRIX`).

use super::{Arguments, Column, IndicatorSpec, ParameterSpec, rolling};
use crate::simulation::{Candles, source::Source};

pub(super) static SPEC: IndicatorSpec = IndicatorSpec {
    name: "trix",
    aliases: &[],
    description: "Change in percent, from candle to candle, of a triply smoothed exponential average.",
    parameters: &[ParameterSpec::period("period", 15), ParameterSpec::source(Source::Close)],
    outputs: &["value"],
    default_output: 0,
    first_defined,
    compute,
};

fn first_defined(arguments: &Arguments) -> usize {
    3 * arguments.period(0) - 2
}

fn compute(candles: &Candles, arguments: &Arguments) -> Vec<Column> {
    let values = arguments.source.column(candles);
    let period = arguments.period(0);
    let once = rolling::seeded(&values, 0, period);
    let twice = rolling::seeded(&once.values, once.first_defined, period);
    let thrice = rolling::seeded(&twice.values, twice.first_defined, period);
    let mut column = Column::undefined(values.len(), first_defined(arguments));
    for index in column.first_defined..values.len() {
        let (new, old) = (thrice.values[index], thrice.values[index - 1]);
        column.values[index] = if old == 0.0 { 0.0 } else { (new / old - 1.0) * 100.0 };
    }
    vec![column]
}
