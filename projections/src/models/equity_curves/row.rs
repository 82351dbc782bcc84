//! A point of an equity curve.

use chrono::{DateTime, Utc};

/// The last equity of a UTC day (or of every few days in runs over 4,096 days).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EquityRow {
    pub time: DateTime<Utc>,
    /// Quote money.
    pub equity: f64,
}
