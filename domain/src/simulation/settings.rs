//! Costs and conventions of a run: a backtest's `metadata` with defaults filled in.

mod parse;

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    outcome::Warning,
    rules::{Sizing, StrategyConfig},
};
use crate::number::Number;

/// The settings of a run. Wire names and units as in the API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
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

impl Default for Settings {
    fn default() -> Self {
        Self::of_preset(Preset::Backtrail)
    }
}

impl Settings {
    /// The settings of a preset, nothing given explicitly.
    #[must_use]
    pub fn of_preset(preset: Preset) -> Self {
        let (commission, finalize, warmup) = match preset {
            Preset::Backtrail => (Number::THOUSANDTH, Finalize::Close, Warmup::BeforeStart),
            Preset::BacktestingPy => (Number::ZERO, Finalize::Open, Warmup::InRange),
        };
        Self {
            leverage: Number::ONE,
            commission,
            commission_fixed: Number::ZERO,
            slippage_bps: Number::ZERO,
            spread_bps: Number::ZERO,
            fill: FillMode::NextOpen,
            intrabar: Intrabar::StopFirst,
            finalize,
            warmup,
            lot: None,
            seed: 0,
            preset,
        }
    }

    /// Values that are allowed and look like another unit, here and in `config`.
    #[must_use]
    pub fn suspicious_units(&self, config: &StrategyConfig) -> Vec<Warning> {
        let mut warnings = Vec::new();
        let mut warn = |message: String| {
            warnings.push(Warning { code: "suspicious_unit".to_owned(), message });
        };
        let commission = self.commission.get();
        if commission > 0.05 {
            let percent = commission * 100.0;
            warn(format!("commission is a fraction: {commission} is {percent} % a side"));
        }
        let risk = match config.sizing {
            Sizing::RiskPercentage(fraction) => Some(fraction),
            Sizing::AllIn
            | Sizing::PercentOfEquity(_)
            | Sizing::FixedAmount(_)
            | Sizing::FixedQuantity(_) => None,
        };
        for (name, fraction) in [
            ("stop_loss", config.stop_loss),
            ("take_profit", config.take_profit),
            ("risk_percentage", risk),
        ] {
            if let Some(fraction) = fraction.filter(|fraction| *fraction < 0.000_1) {
                warn(format!(
                    "{name} is in percent: {} is that part of a hundred",
                    fraction * 100.0
                ));
            }
        }
        warnings
    }
}

/// When a market order fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FillMode {
    /// At the next candle's open.
    NextOpen,
    /// At the signal candle's close.
    Close,
}

/// What comes first when one candle touches stop-loss and take-profit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Intrabar {
    StopFirst,
    TargetFirst,
}

/// What happens to a trade that is open at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Warmup {
    /// From before the start, where stored.
    BeforeStart,
    /// From the range itself.
    InRange,
}

/// A whole set of conventions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
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
