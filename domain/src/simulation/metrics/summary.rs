//! The metrics that a list of backtests shows.

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Metrics;

/// The short form of [`Metrics`], in the wire's units: `…_percentage` are percent, `win_rate` a fraction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PerformanceSummary {
    pub total_trades: u32,
    pub winning_trades: u32,
    pub losing_trades: u32,
    /// A fraction.
    pub win_rate: Option<f64>,
    pub profit_factor: Option<f64>,
    /// Quote money.
    pub max_drawdown: Option<f64>,
    /// Percent of the peak.
    pub max_drawdown_percentage: Option<f64>,
    pub sharpe_ratio: Option<f64>,
    pub sortino_ratio: Option<f64>,
    /// Quote money, exact.
    pub total_pnl: Decimal,
    /// Percent of the initial balance.
    pub total_pnl_percentage: Option<f64>,
}

/// The summary of a run's metrics.
#[must_use]
pub fn generate_performance_summary(metrics: &Metrics) -> PerformanceSummary {
    let percent = |fraction: Option<f64>| fraction.map(|fraction| fraction * 100.0);
    PerformanceSummary {
        total_trades: metrics.total_trades,
        winning_trades: metrics.winning_trades,
        losing_trades: metrics.losing_trades,
        win_rate: metrics.win_rate,
        profit_factor: metrics.profit_factor,
        max_drawdown: metrics.max_drawdown,
        max_drawdown_percentage: percent(metrics.max_drawdown_percentage),
        sharpe_ratio: metrics.sharpe_ratio,
        sortino_ratio: metrics.sortino_ratio,
        total_pnl: metrics.total_pnl,
        total_pnl_percentage: percent(metrics.total_pnl_percentage),
    }
}
