//! OBV: the volume of rising closes less the volume of falling ones, starting with the first volume (TA-Lib `OBV`).

use super::{Arguments, Column, IndicatorSpec};
use crate::simulation::Candles;

pub(super) static SPEC: IndicatorSpec = IndicatorSpec {
    name: "obv",
    aliases: &[],
    description: "On-balance volume: adds the volume of a rising close, subtracts that of a falling one.",
    parameters: &[],
    outputs: &["value"],
    default_output: 0,
    first_defined,
    compute,
};

fn first_defined(_arguments: &Arguments) -> usize {
    0
}

fn compute(candles: &Candles, _arguments: &Arguments) -> Vec<Column> {
    let mut column = Column::undefined(candles.len(), 0);
    let mut total = 0.0;
    let mut before = f64::NEG_INFINITY;
    for (out, (close, volume)) in
        column.values.iter_mut().zip(candles.close.iter().zip(&candles.volume))
    {
        let rises = if *close > before { *volume } else { 0.0 };
        let falls = if *close < before { *volume } else { 0.0 };
        total += rises - falls;
        before = *close;
        *out = total;
    }
    vec![column]
}
