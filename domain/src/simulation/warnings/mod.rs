//! Warnings about a result: one file per family, each with its formula, its threshold and its source.

mod ambiguity;
mod concentration;
mod costs;
mod exposure;
mod freedom;
mod gaps;
mod luck;
mod orders;
mod range;
mod sample;
mod warmup;

use chrono::{DateTime, SecondsFormat};
use rust_decimal::Decimal;

use super::{
    Input, UnfilledOrder, Warning,
    metrics::{Metrics, Tally},
};

/// Every code that an outcome's warnings have; stable: clients compare them. The first are about the candles as they were
/// read, and come from who reads them.
pub const CODES: [&str; 19] = [
    "range_not_covered",
    "bad_rows",
    "duplicate_candles",
    "suspicious_unit",
    "short_warmup",
    "long_warmup",
    "range_too_short",
    "data_gaps",
    "rejected_orders",
    "liquidated",
    "few_trades",
    "few_trades_per_parameter",
    "high_costs",
    "one_trade",
    "open_trade",
    "low_exposure",
    "ambiguous_fills",
    "insignificant_returns",
    "maybe_luck",
];

/// A finished run, as warnings look at it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Review<'a> {
    pub(crate) input: &'a Input<'a>,
    pub(crate) metrics: &'a Metrics,
    pub(crate) tally: &'a Tally,
    /// Index of the first candle on which rules were evaluated.
    pub(crate) first_evaluated: usize,
    /// The largest first defined index of what the rules use.
    pub(crate) first_defined: usize,
    /// The first entry that was not filled.
    pub(crate) rejection: Option<&'a UnfilledOrder>,
    pub(crate) rejections_count: usize,
    /// How often equity fell to the maintenance margin.
    pub(crate) liquidations_count: usize,
    /// What could not be paid, where equity fell to nothing.
    pub(crate) ruin_shortfall: Option<Decimal>,
}

/// The warnings of a run, in the order of [`CODES`].
pub(crate) fn collect(review: &Review<'_>) -> Vec<Warning> {
    let Input { settings, strategy, .. } = review.input;
    let mut warnings = settings.suspicious_units(&strategy.config);
    let families = [
        warmup::short,
        warmup::long,
        range::too_short,
        gaps::data_gaps,
        orders::rejected,
        orders::liquidated,
        sample::few_trades,
        freedom::few_trades_per_parameter,
        costs::high_costs,
        concentration::one_trade,
        concentration::open_trade,
        exposure::low_exposure,
        ambiguity::ambiguous_fills,
        luck::insignificant_returns,
        luck::maybe_luck,
    ];
    warnings.extend(families.into_iter().filter_map(|family| family(review)));
    warnings
}

/// A candle's opening as RFC 3339.
fn time_text(epoch_ms: i64) -> Option<String> {
    let time = DateTime::from_timestamp_millis(epoch_ms)?;
    Some(time.to_rfc3339_opts(SecondsFormat::Secs, true))
}

/// A count as a real number; exact below 2^53.
#[expect(clippy::cast_precision_loss, reason = "counts of candles and trades")]
const fn count(number: usize) -> f64 {
    number as f64
}
