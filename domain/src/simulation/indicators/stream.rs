//! Indicators that come in steps, so that a few thousand values at a time are used while they are near the processor.

use std::borrow::Cow;

use super::{Column, IndicatorCall, ema, rsi, sma};
use crate::simulation::Candles;

/// The values of an indicator over all candles, one step after the other. The same bytes as in its column.
pub(in crate::simulation) trait Stream {
    /// Appends the next values, at least one if there is one.
    fn extend(&mut self, values: &mut Vec<f64>);
}

/// A column out of all steps.
pub(super) fn collect(mut stream: impl Stream, len: usize, first_defined: usize) -> Column {
    let mut values = Vec::with_capacity(len);
    while values.len() < len {
        stream.extend(&mut values);
    }
    Column { first_defined: first_defined.min(len), values }
}

/// What a call reads, in steps; `None` if it only comes as a column.
pub(in crate::simulation) fn stream<'a>(
    call: &IndicatorCall,
    candles: &'a Candles,
) -> Option<Box<dyn Stream + 'a>> {
    let Cow::Borrowed(values) = call.arguments.source.column(candles) else { return None };
    match call.spec.name {
        "sma" => Some(Box::new(sma::stream(values, &call.arguments))),
        "rsi" => Some(Box::new(rsi::stream(values, &call.arguments))),
        "ema" => Some(Box::new(ema::stream(values, &call.arguments))),
        _ => None,
    }
}
