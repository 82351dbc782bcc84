//! The metrics of a run: one family a file, each with its formula and source.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

macro_rules! metrics {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Every metric of a run, in the order of the result hash. Fractions inside; undefined is none.
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct Metrics {
            pub total_trades: u32,
            pub winning_trades: u32,
            pub losing_trades: u32,
            /// Quote money, exact: the sum of the trades' pnl.
            pub total_pnl: Decimal,
            /// Quote money, exact: the sum of all fees.
            pub total_fees: Decimal,
            $($(#[$doc])* #[serde(skip_serializing_if = "Option::is_none")] pub $name: Option<f64>,)*
            #[serde(skip_serializing_if = "Vec::is_empty")]
            pub drawdown_periods: Vec<DrawdownPeriod>,
        }

        impl Metrics {
            /// Names of the real-valued metrics, in order.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name)),*];

            /// The real-valued metrics, in the order of [`Self::NAMES`].
            #[must_use]
            pub fn values(&self) -> Vec<Option<f64>> {
                vec![$(self.$name),*]
            }

            /// Sets the metric of that name; false when there is none.
            pub fn set(&mut self, name: &str, value: Option<f64>) -> bool {
                match name {
                    $(stringify!($name) => self.$name = value,)*
                    _ => return false,
                }
                true
            }
        }
    };
}

metrics! {
    sharpe_ratio,
    sharpe_geometric,
    sortino_ratio,
    volatility,
    annual_return,
    cagr,
    calmar_ratio,
    /// Quote money.
    max_drawdown,
    /// A fraction here, percent on the wire.
    max_drawdown_percentage,
    win_rate,
    profit_factor,
    profit_factor_percent,
    average_trade,
    best_trade,
    worst_trade,
    expectancy,
    exposure,
    sqn,
    kelly,
    average_holding_seconds,
    max_holding_seconds,
    turnover,
    /// A fraction here, percent on the wire.
    total_pnl_percentage,
    total_return,
    buy_and_hold_return,
    alpha,
    beta,
    value_at_risk,
    conditional_value_at_risk,
    skew,
    kurtosis,
    ulcer_index,
    tail_ratio,
    omega,
}

/// From a peak of equity down and back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DrawdownPeriod {
    /// Epoch milliseconds UTC of the peak.
    pub start: i64,
    /// Epoch milliseconds UTC of the lowest equity.
    pub bottom: i64,
    /// Epoch milliseconds UTC of the first candle back at the peak; none if it never came back.
    pub recovery: Option<i64>,
    /// Depth as a fraction of the peak.
    pub depth: f64,
}
