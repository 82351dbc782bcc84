//! Costs and conventions of a run: a backtest's `metadata` with defaults filled in.

mod parse;

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    rules::{Sizing, StrategyConfig, Trailing},
    warning::Warning,
};
use crate::{error_code::ErrorCode, fields::FieldError, number::Number};

/// Why `finalize: open` is refused.
pub(super) const OPEN_NEEDS_PRESET: &str = "`finalize: open` fills at the open of a candle whose close was seen, so only the preset \
                                     backtesting_py has it";

/// A distance or a risk of at most this fraction, a tenth of a percent, is probably not meant.
const SUSPICIOUS_MAX: Decimal = Decimal::from_parts(1, 0, 0, false, 3);

/// The settings of a run, with the names and units of the API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Position value per unit of margin. 1 means no leverage.
    pub leverage: Number,
    /// Fraction of the position's value below which equity must not fall. Defaults to half of the initial margin, or to
    /// none without leverage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance_margin: Option<Number>,
    /// Fraction of the position's value that longs pay to shorts in each funding interval. If negative, shorts pay.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub funding_rate: Number,
    /// Hours between fundings, counted from 1970-01-01T00:00:00Z.
    #[serde(default = "eight", skip_serializing_if = "is_eight")]
    pub funding_interval_hours: u32,
    /// Fraction of the notional per side (0.001 is 0.1 %).
    pub commission: Number,
    /// The commission of limit orders and targets. Defaults to `commission`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commission_maker: Option<Number>,
    /// Quote money per fill.
    pub commission_fixed: Number,
    /// Basis points of adverse slippage on market and stop fills.
    pub slippage_bps: Number,
    /// Adverse slippage on market and stop fills in percent of the fill candle's range, never beyond its high or low.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub slippage_range_percentage: Number,
    /// Basis points of adverse slippage on market and stop fills.
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
            maintenance_margin: None,
            funding_rate: Number::ZERO,
            funding_interval_hours: 8,
            commission,
            commission_maker: None,
            commission_fixed: Number::ZERO,
            slippage_bps: Number::ZERO,
            slippage_range_percentage: Number::ZERO,
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

    /// The fraction of what is held that equity must exceed; half of the initial margin where none is given.
    #[must_use]
    pub fn maintenance(&self) -> f64 {
        let leverage = self.leverage.get();
        let half = if leverage > 1.0 && self.preset.is_backtrail() { 0.5 / leverage } else { 0.0 };
        self.maintenance_margin.map_or(half, Number::get)
    }

    /// What these settings do not have: of each other, and of what a strategy's config asks for.
    #[must_use]
    pub fn conflicts(&self, config: &StrategyConfig) -> Vec<FieldError> {
        let unsupported = |name: &str, message: &str| {
            FieldError::new(format!("metadata.{name}"), ErrorCode::UnsupportedSetting, message)
        };
        let has_parts = !config.partial_take_profits.is_empty();
        let parts = (has_parts && !self.preset.is_backtrail()).then(|| {
            let message = "the preset backtesting_py has no partial targets, and the strategy's config has \
                           partial_take_profits";
            unsupported("preset", message)
        });
        let looks_ahead = self.finalize == Finalize::Open && self.preset.is_backtrail();
        let finalize = looks_ahead.then(|| unsupported("finalize", OPEN_NEEDS_PRESET));
        parts.into_iter().chain(finalize).collect()
    }

    /// Values that are allowed and look like another unit, here and in `config`.
    #[must_use]
    pub fn suspicious_units(&self, config: &StrategyConfig) -> Vec<Warning> {
        let mut warnings = Vec::new();
        let mut warn = |message: String| {
            warnings.push(Warning { code: "suspicious_unit".to_owned(), message });
        };
        let maker = self.commission_maker.map(Number::get);
        for (name, commission) in
            [("commission", Some(self.commission.get())), ("commission_maker", maker)]
        {
            if let Some(commission) = commission.filter(|commission| *commission > 0.05) {
                let percent = commission * 100.0;
                warn(format!("{name} is a fraction: {commission} is {percent} % a side"));
            }
        }
        let risk = match config.sizing {
            Sizing::RiskPercentage(fraction) => Some(fraction),
            Sizing::AllIn
            | Sizing::PercentOfEquity(_)
            | Sizing::FixedAmount(_)
            | Sizing::FixedQuantity(_) => None,
        };
        let trailing = match config.trailing_stop {
            Some(Trailing::Fraction(fraction)) => Some(fraction),
            Some(Trailing::Ranges(_)) | None => None,
        };
        for (name, fraction) in [
            ("stop_loss", config.stop_loss),
            ("take_profit", config.take_profit),
            ("trailing_stop", trailing),
            ("break_even", config.break_even),
            ("risk_percentage", risk),
        ] {
            if let Some(fraction) = fraction.filter(|fraction| *fraction <= SUSPICIOUS_MAX) {
                let percent = (fraction * Decimal::ONE_HUNDRED).normalize();
                warn(format!("{name} is in percent: {percent} is that part of a hundred"));
            }
        }
        warnings
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_zero(number: &Number) -> bool {
    *number == Number::ZERO
}

const fn eight() -> u32 {
    8
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
const fn is_eight(hours: &u32) -> bool {
    *hours == 8
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

/// Which comes first if one candle touches both the stop-loss and the take-profit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Intrabar {
    StopFirst,
    TargetFirst,
    /// Decided by finer candles, or the stop-loss if they are ambiguous too.
    LowerTimeframe,
}

/// What happens to a trade that is still open at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Finalize {
    /// Closed at the last close.
    Close,
    /// Closed at the last open, as in backtesting.py, and with its preset only.
    Open,
    /// Left open. The final balance marks it at the last close.
    LeaveOpen,
}

/// Where the candles for the indicators' first values come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Warmup {
    /// From candles before the start, if stored.
    BeforeStart,
    /// From the range itself.
    InRange,
}

impl Warmup {
    /// Candles before the start, however few the indicators need: averages that depend on all of their past have settled.
    const ROWS_MIN: usize = 256;

    /// Returns how many of the `available` candles before the start a run loads: the smallest power of two that is at
    /// least 256 and more than the first defined index of its rules, or all where there are fewer. Powers of two, so that
    /// rows of a sweep with different windows start at the same candle and share their columns.
    #[must_use]
    pub fn rows(self, first_defined: usize, available: usize) -> usize {
        match self {
            Self::BeforeStart => {
                let needed = first_defined.saturating_add(1).max(Self::ROWS_MIN);
                needed.checked_next_power_of_two().map_or(available, |rows| rows.min(available))
            }
            Self::InRange => 0,
        }
    }
}

/// A set of conventions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    #[default]
    Backtrail,
    /// Matches backtesting.py 0.6.6.
    BacktestingPy,
}

impl Preset {
    /// Whether it is the default.
    #[must_use]
    pub fn is_backtrail(&self) -> bool {
        *self == Self::Backtrail
    }
}
