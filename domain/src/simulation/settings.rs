//! Costs and conventions of a run: a backtest's `metadata` with defaults filled in.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::number::Number;

/// The settings of a run. Wire names and units as in the API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// 1 is none.
    pub leverage: Number,
    /// Fraction of notional a side (0.001 is 0.1 %).
    pub commission: Number,
    /// Quote money per fill.
    pub commission_fixed: Number,
    /// Basis points against you on market and stop fills.
    pub slippage_bps: Number,
    /// Basis points against you on market and stop fills.
    pub spread_bps: Number,
    pub fill: FillMode,
    pub intrabar: Intrabar,
    pub finalize: Finalize,
    pub warmup: Warmup,
    /// Overrides the market's lot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lot: Option<Decimal>,
    pub seed: u64,
    #[serde(default, skip_serializing_if = "Preset::is_backtrail")]
    pub preset: Preset,
}

/// When a market order fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FillMode {
    /// At the next candle's open.
    NextOpen,
    /// At the signal candle's close.
    Close,
}

/// What comes first when one candle touches stop-loss and take-profit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Intrabar {
    StopFirst,
    TargetFirst,
}

/// What happens to a trade that is open at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finalize {
    /// Closed at the last close.
    Close,
    /// Closed at the last open, as backtesting.py does.
    Open,
    /// Left open; the final balance marks it at the last close.
    LeaveOpen,
}

/// Where the candles for the indicators' first values come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Warmup {
    /// From before the start, where stored.
    BeforeStart,
    /// From the range itself.
    InRange,
}

/// A whole set of conventions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    #[default]
    Backtrail,
    /// Agrees with backtesting.py 0.6.6.
    BacktestingPy,
}

impl Preset {
    /// Whether it is the default.
    #[must_use]
    pub fn is_backtrail(&self) -> bool {
        *self == Self::Backtrail
    }
}
