//! VWAP: Σ typical price · volume ÷ Σ volume since the beginning of the UTC day; undefined while nothing was traded.

use super::{Arguments, Column, IndicatorSpec};
use crate::simulation::{Candles, calendar::days, source::Source};

pub(super) static SPEC: IndicatorSpec = IndicatorSpec {
    name: "vwap",
    aliases: &[],
    description: "Volume-weighted average price since the beginning of the UTC day, of the mean of high, low and close; undefined while there was no volume.",
    parameters: &[],
    outputs: &["value"],
    default_output: 0,
    first_defined,
    compute,
};

fn first_defined(_arguments: &Arguments) -> usize {
    0
}

/// Without volume the quotient is one by zero, which is no value.
fn compute(candles: &Candles, _arguments: &Arguments) -> Vec<Column> {
    let mut column = Column::undefined(candles.len(), 0);
    let typical = Source::Hlc3.column(candles);
    for (_, day) in days(&candles.open_time) {
        let (mut money, mut volume) = (0.0, 0.0);
        for index in day {
            money += typical[index] * candles.volume[index];
            volume += candles.volume[index];
            column.values[index] = money / volume;
        }
    }
    vec![column]
}
