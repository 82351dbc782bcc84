//! ROC: 100 · (x ÷ x `period` candles ago − 1), 0 where that was 0 (TA-Lib `ROC`).

use super::{Arguments, Column, IndicatorSpec, ParameterSpec};
use crate::simulation::{Candles, source::Source};

pub(super) static SPEC: IndicatorSpec = IndicatorSpec {
    name: "roc",
    aliases: &[],
    description: "Rate of change in percent against the value `period` candles earlier.",
    parameters: &[ParameterSpec::period("period", 10), ParameterSpec::source(Source::Close)],
    outputs: &["value"],
    default_output: 0,
    first_defined,
    compute,
};

fn first_defined(arguments: &Arguments) -> usize {
    arguments.period(0)
}

fn compute(candles: &Candles, arguments: &Arguments) -> Vec<Column> {
    let values = arguments.source.column(candles);
    let period = arguments.period(0);
    let mut column = Column::undefined(values.len(), period);
    let new = &values[column.first_defined..];
    for ((out, new), old) in column.values[column.first_defined..].iter_mut().zip(new).zip(&*values)
    {
        *out = if *old == 0.0 { 0.0 } else { (new / old - 1.0) * 100.0 };
    }
    vec![column]
}
