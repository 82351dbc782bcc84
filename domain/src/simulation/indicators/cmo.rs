//! CMO: 100 · (G − L) ÷ (G + L) of Wilder's averages of gains and losses, 0 when both are 0 (TA-Lib `CMO`).

use super::{Arguments, Column, IndicatorSpec, ParameterSpec, rsi::gains_and_losses};
use crate::simulation::{Candles, source::Source};

pub(super) static SPEC: IndicatorSpec = IndicatorSpec {
    name: "cmo",
    aliases: &[],
    description: "Chande momentum oscillator: 100 × (average gain − average loss) ÷ (average gain + average loss).",
    parameters: &[ParameterSpec::period("period", 14), ParameterSpec::source(Source::Close)],
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
    let momentum = |gain: f64, loss: f64| {
        let total = gain + loss;
        if total > 0.0 { 100.0 * ((gain - loss) / total) } else { 0.0 }
    };
    vec![gains_and_losses(&values, arguments.period(0), momentum)]
}
