//! STOCHRSI: where RSI lies in its range of `k` candles, and its average (TA-Lib `STOCHRSI`).

use super::{Arguments, Column, IndicatorSpec, ParameterSpec, rolling, rsi::strengths, stoch::raw};
use crate::simulation::{Candles, source::Source};

pub(super) static SPEC: IndicatorSpec = IndicatorSpec {
    name: "stochrsi",
    aliases: &[],
    description: "Stochastic RSI: where RSI lies in its own range of `k` candles, and its average.",
    parameters: &[
        ParameterSpec::period("period", 14),
        ParameterSpec::period("k", 14),
        ParameterSpec::period("d", 3),
        ParameterSpec::source(Source::Close),
    ],
    outputs: &["k", "d"],
    default_output: 0,
    first_defined,
    compute,
};

fn first_defined(arguments: &Arguments) -> usize {
    arguments.period(0) + arguments.period(1) + arguments.period(2) - 2
}

fn compute(candles: &Candles, arguments: &Arguments) -> Vec<Column> {
    let values = arguments.source.column(candles);
    let rsi = strengths(&values, arguments.period(0));
    let defined = &rsi.values[rsi.first_defined..];
    let within = raw(defined, defined, defined, arguments.period(1));
    let mut k = Column::undefined(values.len(), rsi.first_defined + within.first_defined);
    k.values[rsi.first_defined..].copy_from_slice(&within.values);
    let d = rolling::mean(&k.values, k.first_defined, arguments.period(2));
    k.values[..d.first_defined].fill(0.0);
    k.first_defined = d.first_defined;
    vec![k, d]
}
