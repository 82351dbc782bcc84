//! Funding: what holding a position costs or yields between two candles.

use rust_decimal::Decimal;

use crate::simulation::{Settings, SimulationError, error::overflow, exact};

const HOUR_MS: i64 = 3_600_000;

/// The fraction of its worth that a long pays, and a short receives, for all fundings after `from` and up to `to`
/// (epoch milliseconds UTC).
pub(crate) fn funding_rate(
    settings: &Settings,
    from: i64,
    to: i64,
) -> Result<Decimal, SimulationError> {
    let interval = i64::from(settings.funding_interval_hours) * HOUR_MS;
    let fundings = to.div_euclid(interval) - from.div_euclid(interval);
    let rate = exact::decimal(settings.funding_rate.get());
    let rate = rate.and_then(|rate| exact::product(rate, fundings.into()));
    rate.ok_or_else(|| overflow("funding"))
}
