//! MOM: x − x `period` candles ago (TA-Lib `MOM`).

use super::{Arguments, Column, IndicatorSpec, ParameterSpec};
use crate::simulation::{Candles, source::Source};

pub(super) static SPEC: IndicatorSpec = IndicatorSpec {
    name: "mom",
    aliases: &["momentum"],
    description: "Momentum: the change since the value `period` candles earlier.",
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
    let mut column = Column::undefined(values.len(), arguments.period(0));
    let from = column.first_defined;
    let pairs = values[from..].iter().zip(&*values);
    for (out, (new, old)) in column.values[from..].iter_mut().zip(pairs) {
        *out = new - old;
    }
    vec![column]
}
