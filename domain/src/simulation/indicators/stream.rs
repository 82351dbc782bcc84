//! Indicators that come in steps, so that a few thousand values at a time are used while they are near the processor.

use super::Column;

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
