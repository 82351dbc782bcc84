//! SUPERTREND: a band of `multiplier` · ATR around the middle of the candle that trails the price and flips when closed through.

use super::{
    Arguments, Column, IndicatorSpec, ParameterKind, ParameterSpec, rolling, trange::true_ranges,
};
use crate::simulation::{Candles, source::Source};

pub(super) static SPEC: IndicatorSpec = IndicatorSpec {
    name: "supertrend",
    aliases: &[],
    description: "Supertrend: a trailing band of `multiplier` × ATR; direction 1 below the price, −1 above it.",
    parameters: &[
        ParameterSpec::period("period", 10),
        ParameterSpec {
            name: "multiplier",
            kind: ParameterKind::Number { minimum: 0.0, maximum: 100.0, default: 3.0 },
        },
    ],
    outputs: &["line", "direction"],
    default_output: 0,
    first_defined,
    compute,
};

fn first_defined(arguments: &Arguments) -> usize {
    arguments.period(0)
}

/// The lower band never falls while closes stay above it, the upper never rises while they stay below; it starts up.
fn compute(candles: &Candles, arguments: &Arguments) -> Vec<Column> {
    let atr = rolling::wilder(&true_ranges(candles).values, 1, arguments.period(0));
    let middle = Source::Hl2.column(candles);
    let mut line = Column::undefined(candles.len(), atr.first_defined);
    let mut direction = line.clone();
    let (mut upper, mut lower, mut is_up) = (f64::INFINITY, f64::NEG_INFINITY, true);
    for index in atr.first_defined..candles.len() {
        let before = candles.close[index - 1];
        let distance = arguments.numbers[1] * atr.values[index];
        let (above, below) = (middle[index] + distance, middle[index] - distance);
        upper = if before <= upper { rolling::smaller(above, upper) } else { above };
        lower = if before >= lower { rolling::larger(below, lower) } else { below };
        let close = candles.close[index];
        is_up = if is_up { close >= lower } else { close > upper };
        line.values[index] = if is_up { lower } else { upper };
        direction.values[index] = if is_up { 1.0 } else { -1.0 };
    }
    vec![line, direction]
}
