//! The outcome of a simulation.

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    metrics::Metrics,
    time,
    trade::{Side, Trade},
    warning::Warning,
};

/// The result of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// By number; some may be open (`leave_open`).
    pub trades: Vec<Trade>,
    /// Equity at the close of each candle of the range.
    pub equity: Vec<f64>,
    pub metrics: Metrics,
    /// Cash, open trades marked at the last close.
    pub final_balance: Decimal,
    /// The final balance if the stop-loss always came first where that is not known; the same when it always is.
    pub final_balance_stop_first: Decimal,
    /// The final balance if the target always came first where that is not known.
    pub final_balance_target_first: Decimal,
    /// What a liquidation or an exit lost beyond all cash:
    /// initial balance + Σ pnl + shortfall + funding = final balance.
    pub shortfall: Decimal,
    /// Funding, including open trades: received if above 0, paid if below.
    pub funding: Decimal,
    /// Trades whose result depended on which of stop-loss and take-profit came first in a candle.
    pub ambiguous_trades_count: u32,
    pub warnings: Vec<Warning>,
    /// The first [`UNFILLED_MAX`].
    pub rejections: Vec<UnfilledOrder>,
    /// Of all rejections.
    pub rejections_count: usize,
    /// The first [`UNFILLED_MAX`] entries whose price was not reached while they were valid.
    pub expiries: Vec<UnfilledOrder>,
    /// Of all expiries.
    pub expiries_count: usize,
    /// Index in the candles of the first one on which rules were evaluated.
    pub first_evaluated: usize,
}

/// No more rejections and no more expiries than these are kept; the others are counted.
pub const UNFILLED_MAX: usize = 100;

/// An order that was not filled, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UnfilledOrder {
    /// Epoch milliseconds UTC, RFC 3339 in JSON: the candle on which it would have filled, or the last one on which it was
    /// valid.
    #[serde(with = "time")]
    #[schemars(with = "chrono::DateTime<chrono::Utc>")]
    pub time: i64,
    pub side: Side,
    #[serde(rename = "type")]
    pub kind: OrderKind,
    /// What it would have filled at before costs, or the price that it waited for. Absent if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Decimal>,
    pub reason: String,
}

/// How an order fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrderKind {
    Market,
    Limit,
    Stop,
    StopLimit,
}
