//! The outcome of a simulation.

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{metrics::Metrics, trade::Trade, warning::Warning};

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
    pub rejections: Vec<Rejection>,
    /// Index in the candles of the first one on which rules were evaluated.
    pub first_evaluated: usize,
}

/// An order that was not filled, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rejection {
    /// Epoch milliseconds UTC of the candle on which it would have filled.
    pub time: i64,
    pub reason: String,
}
