//! AD: the running sum of volume · ((close − low) − (high − close)) ÷ (high − low) (TA-Lib `AD`).

use super::{Arguments, Column, IndicatorSpec};
use crate::simulation::Candles;

pub(super) static SPEC: IndicatorSpec = IndicatorSpec {
    name: "ad",
    aliases: &[],
    description: "Accumulation and distribution line: volume weighted with where the close lies in its candle, summed up.",
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
    vec![line(candles)]
}

/// A candle without range adds nothing.
pub(super) fn line(candles: &Candles) -> Column {
    let mut column = Column::undefined(candles.len(), 0);
    let mut total = 0.0;
    for (index, out) in column.values.iter_mut().enumerate() {
        let (high, low, close) = (candles.high[index], candles.low[index], candles.close[index]);
        if high > low {
            total += ((close - low) - (high - close)) / (high - low) * candles.volume[index];
        }
        *out = total;
    }
    column
}
