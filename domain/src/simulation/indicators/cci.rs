//! CCI: (TP − SMA(TP)) ÷ (0.015 · mean absolute deviation of TP), TP the mean of high, low and close (TA-Lib `CCI`).

use super::{Arguments, Column, IndicatorSpec, ParameterKind, ParameterSpec, rolling};
use crate::simulation::{Candles, source::Source};

/// The deviation from a moving mean has to look at every candle of the window, so the window is short.
const PERIOD: ParameterSpec = ParameterSpec {
    name: "period",
    kind: ParameterKind::Integer { minimum: 1, maximum: 500, default: 20 },
};

pub(super) static SPEC: IndicatorSpec = IndicatorSpec {
    name: "cci",
    aliases: &[],
    description: "Commodity channel index: distance of the typical price from its average, in mean absolute deviations.",
    parameters: &[PERIOD],
    outputs: &["value"],
    default_output: 0,
    first_defined,
    compute,
};

fn first_defined(arguments: &Arguments) -> usize {
    arguments.period(0) - 1
}

fn compute(candles: &Candles, arguments: &Arguments) -> Vec<Column> {
    let typical = Source::Hlc3.column(candles);
    let period = arguments.period(0);
    let mut column = Column::undefined(typical.len(), period - 1);
    let divisor = rolling::to_f64(period);
    let outs = column.values.iter_mut().skip(period - 1);
    for (out, window) in outs.zip(typical.windows(period)) {
        let mean = rolling::sum(window) / divisor;
        let deviation = rolling::sum_of(window, |price| (price - mean).abs()) / divisor;
        let distance = window[period - 1] - mean;
        // A deviation that is nothing but the rounding of the mean is none.
        *out = if deviation > 1e-14 * mean.abs() { distance / (0.015 * deviation) } else { 0.0 };
    }
    vec![column]
}
