//! AROON: 100 · (period − candles since the extreme of the last period + 1) ÷ period (TA-Lib `AROON`).

use std::collections::VecDeque;

use super::{Arguments, Column, IndicatorSpec, ParameterSpec, rolling};
use crate::simulation::Candles;

pub(super) static SPEC: IndicatorSpec = IndicatorSpec {
    name: "aroon",
    aliases: &[],
    description: "Aroon: how recently the highest high (up) and the lowest low (down) of the last `period` + 1 candles came.",
    parameters: &[ParameterSpec::period("period", 14)],
    outputs: &["up", "down"],
    default_output: 0,
    first_defined,
    compute,
};

fn first_defined(arguments: &Arguments) -> usize {
    arguments.period(0)
}

fn compute(candles: &Candles, arguments: &Arguments) -> Vec<Column> {
    let period = arguments.period(0);
    vec![
        recency(&candles.high, period, |new, old| new >= old),
        recency(&candles.low, period, |new, old| new <= old),
    ]
}

/// 100 for an extreme at the candle itself, 0 for one `period` candles ago; of equal ones the latest counts.
fn recency(values: &[f64], period: usize, beats: impl Fn(f64, f64) -> bool) -> Column {
    let mut column = Column::undefined(values.len(), period);
    // Candidates for the extreme: each is beaten by none that came later.
    let mut candidates = VecDeque::with_capacity(period + 1);
    for (index, value) in values.iter().enumerate() {
        while candidates.back().is_some_and(|last| beats(*value, values[*last])) {
            candidates.pop_back();
        }
        candidates.push_back(index);
        if candidates.front().is_some_and(|first| first + period < index) {
            candidates.pop_front();
        }
        if let Some(extreme) = candidates.front().filter(|_| index >= period) {
            let recency = rolling::to_f64(period - (index - extreme));
            column.values[index] = 100.0 * (recency / rolling::to_f64(period));
        }
    }
    column
}
