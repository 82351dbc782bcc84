//! Which indicators come in steps.

use std::borrow::Cow;

use super::{IndicatorCall, ema, rsi, sma, stream::Stream};
use crate::simulation::Candles;

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
