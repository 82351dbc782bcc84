//! The dataset: the candles that a job is pinned to.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::market::Timeframe;

/// The candles that a run is pinned to, including warm-up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Dataset {
    pub revision: i64,
    pub rows: u64,
    pub first: DateTime<Utc>,
    pub last: DateTime<Utc>,
    /// Rows before the range, loaded for warm-up.
    pub warmup_rows: u64,
    /// Hex SHA-256 over each row: open time as `i64` and five `f64`, little-endian.
    pub sha256: String,
    /// The finer candles that `intrabar: lower_timeframe` uses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fine: Option<FineDataset>,
}

/// Finer candles of the same range, which show what happened first within a candle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FineDataset {
    pub timeframe: Timeframe,
    pub revision: i64,
    pub rows: u64,
    /// Hex SHA-256, computed like the dataset's.
    pub sha256: String,
}

impl Dataset {
    /// The revisions of its series: the candles', then the finer ones' if there are any.
    #[must_use]
    pub fn revisions(&self) -> Vec<i64> {
        [self.revision].into_iter().chain(self.fine.as_ref().map(|fine| fine.revision)).collect()
    }
}
