//! The dataset: the candles that a job is pinned to.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::market::Timeframe;

/// The candles that a run is pinned to, warm-up included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Dataset {
    pub revision: i64,
    pub rows: u64,
    pub first: DateTime<Utc>,
    pub last: DateTime<Utc>,
    /// Rows before the range, loaded for warm-up.
    pub warmup_rows: u64,
    /// Hex, over open_time i64 and five f64 a row, little endian.
    pub sha256: String,
    /// The finer candles of `intrabar: lower_timeframe`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fine: Option<FineDataset>,
}

/// Finer candles of the same range, which tell what came first within a candle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FineDataset {
    pub timeframe: Timeframe,
    pub revision: i64,
    pub rows: u64,
    /// Hex, as that of the dataset.
    pub sha256: String,
}
