//! SAR: Wilder's parabolic stop and reverse (TA-Lib `SAR`).

use super::{Arguments, Column, IndicatorSpec, ParameterKind, ParameterSpec, rolling};
use crate::simulation::Candles;

pub(super) static SPEC: IndicatorSpec = IndicatorSpec {
    name: "sar",
    aliases: &["parabolic_sar"],
    description: "Parabolic stop and reverse: a stop that speeds up towards the price and changes sides when touched.",
    parameters: &[
        ParameterSpec {
            name: "step",
            kind: ParameterKind::Number { minimum: 0.0, maximum: 1.0, default: 0.02 },
        },
        ParameterSpec {
            name: "maximum",
            kind: ParameterKind::Number { minimum: 0.0, maximum: 1.0, default: 0.2 },
        },
    ],
    outputs: &["value"],
    default_output: 0,
    first_defined,
    compute,
};

fn first_defined(_arguments: &Arguments) -> usize {
    1
}

/// A stop on its way; a short one walks with highs and lows negated and exchanged.
struct Stop {
    is_long: bool,
    /// In the coordinates of a long.
    stop: f64,
    extreme: f64,
    speed: f64,
}

fn compute(candles: &Candles, arguments: &Arguments) -> Vec<Column> {
    let mut column = Column::undefined(candles.len(), 1);
    if candles.len() < 2 {
        return vec![column];
    }
    let maximum = arguments.numbers[1];
    let step = rolling::smaller(arguments.numbers[0], maximum);
    // High and low as a long sees them, or as a short does.
    let seen = |index: usize, is_long: bool| {
        let (high, low) = (candles.high[index], candles.low[index]);
        if is_long { (high, low) } else { (-low, -high) }
    };
    let up = candles.high[1] - candles.high[0];
    let down = candles.low[0] - candles.low[1];
    let is_long = !(down > 0.0 && down > up);
    let (extreme, stop) = (seen(1, is_long).0, seen(0, is_long).1);
    let mut state = Stop { is_long, stop, extreme, speed: step };
    for index in 1..candles.len() {
        let before = index.saturating_sub(1).max(1);
        let (high, low) = seen(index, state.is_long);
        if low <= state.stop {
            // Reversed: what was the extreme is the stop of the other side, beyond both candles.
            state.is_long = !state.is_long;
            let lows =
                rolling::smaller(seen(before, state.is_long).1, seen(index, state.is_long).1);
            state.stop = rolling::smaller(-state.extreme, lows);
            column.values[index] = if state.is_long { state.stop } else { -state.stop };
            state.speed = step;
            state.extreme = seen(index, state.is_long).0;
        } else {
            column.values[index] = if state.is_long { state.stop } else { -state.stop };
            if high > state.extreme {
                state.extreme = high;
                state.speed = rolling::smaller(state.speed + step, maximum);
            }
        }
        state.stop += state.speed * (state.extreme - state.stop);
        let lows = rolling::smaller(seen(before, state.is_long).1, seen(index, state.is_long).1);
        state.stop = rolling::smaller(state.stop, lows);
    }
    vec![column]
}
