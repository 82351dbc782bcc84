//! MFI: 100 · P ÷ (P + N), the money flows of rising and of falling typical prices (TA-Lib `MFI`).

use super::{Arguments, Column, IndicatorSpec, ParameterSpec, rolling};
use crate::simulation::{Candles, source::Source};

pub(super) static SPEC: IndicatorSpec = IndicatorSpec {
    name: "mfi",
    aliases: &[],
    description: "Money flow index: the share of the money (typical price × volume) that flowed while prices rose.",
    parameters: &[ParameterSpec::period("period", 14)],
    outputs: &["value"],
    default_output: 0,
    first_defined,
    compute,
};

fn first_defined(arguments: &Arguments) -> usize {
    arguments.period(0)
}

/// 0 where no money flowed.
fn compute(candles: &Candles, arguments: &Arguments) -> Vec<Column> {
    let typical = Source::Hlc3.column(candles);
    let period = arguments.period(0);
    let (mut rising, mut falling) = (vec![0.0; typical.len()], vec![0.0; typical.len()]);
    for index in 1..typical.len() {
        let money = typical[index] * candles.volume[index];
        if typical[index] > typical[index - 1] {
            rising[index] = money;
        } else if typical[index] < typical[index - 1] {
            falling[index] = money;
        }
    }
    let mut column = rolling::mean(&rising, 1, period);
    let falling = rolling::mean(&falling, 1, period);
    for (out, falling) in column.values.iter_mut().zip(&falling.values) {
        let (up, down) = (rolling::larger(*out, 0.0), rolling::larger(*falling, 0.0));
        *out = if up + down > 0.0 { 100.0 * (up / (up + down)) } else { 0.0 };
    }
    vec![column]
}
