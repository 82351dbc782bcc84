//! `Metrics`, and filters and order by them, all from one list of names.

use async_graphql::{Enum, InputObject, SimpleObject};
use domain::simulation::metrics::Metrics as Values;
use projections::{
    backtests::{BacktestRow, BacktestSort},
    metric::{Metric, MetricFilter},
};

use crate::{
    graphql::{
        filters::FloatFilter,
        scalars::{Decimal, Time},
    },
    http::values::metric_scale,
};

/// A drawdown: from a peak of equity down and back up.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct DrawdownPeriod {
    start: Option<Time>,
    bottom: Option<Time>,
    /// Null if equity never recovered.
    recovery: Option<Time>,
    depth_percentage: f64,
}

macro_rules! metrics {
    ($($name:ident $variant:ident,)*) => {
        /// All metrics of a backtest. `…Percentage` values are in percent, `totalReturn` and `winRate` are fractions.
        /// Undefined metrics are null.
        #[derive(Debug, Clone, SimpleObject)]
        pub(crate) struct Metrics {
            total_trades: u32,
            winning_trades: u32,
            losing_trades: u32,
            ambiguous_trades_count: u32,
            /// The final balance if the stop-loss came first in every ambiguous candle. Null for older backtests.
            final_balance_stop_first: Option<Decimal>,
            /// The final balance if the target came first in every ambiguous candle. Null for older backtests.
            final_balance_target_first: Option<Decimal>,
            total_pnl: Decimal,
            total_fees: Decimal,
            $($name: Option<f64>,)*
            drawdown_periods: Vec<DrawdownPeriod>,
        }

        impl Metrics {
            /// The metrics of a completed run.
            pub(crate) fn of(row: &BacktestRow) -> Option<Self> {
                let values = row.metrics.as_ref()?;
                Some(Self {
                    total_trades: values.total_trades,
                    winning_trades: values.winning_trades,
                    losing_trades: values.losing_trades,
                    ambiguous_trades_count: row.ambiguous_trades_count,
                    final_balance_stop_first: row.final_balance_stop_first.map(Decimal),
                    final_balance_target_first: row.final_balance_target_first.map(Decimal),
                    total_pnl: Decimal(values.total_pnl),
                    total_fees: Decimal(values.total_fees),
                    $($name: values.$name.map(|value| value * metric_scale(stringify!($name))),)*
                    drawdown_periods: periods(values),
                })
            }
        }

        /// Filters by metrics, in the units of `Metrics`. Backtests without the metric never match.
        #[derive(Debug, Clone, Default, InputObject)]
        pub(crate) struct MetricsFilter {
            total_trades: Option<FloatFilter>,
            winning_trades: Option<FloatFilter>,
            losing_trades: Option<FloatFilter>,
            total_pnl: Option<FloatFilter>,
            total_fees: Option<FloatFilter>,
            $($name: Option<FloatFilter>,)*
        }

        impl MetricsFilter {
            /// As the read model wants them.
            pub(crate) fn filters(&self) -> Vec<MetricFilter> {
                let named = [
                    ("total_trades", self.total_trades),
                    ("winning_trades", self.winning_trades),
                    ("losing_trades", self.losing_trades),
                    ("total_pnl", self.total_pnl),
                    ("total_fees", self.total_fees),
                    $((stringify!($name), self.$name),)*
                ];
                let mut filters = Vec::new();
                for (name, filter) in named {
                    let (Some(metric), Some(filter)) = (Metric::parse(name), filter) else { continue };
                    filters.extend(filter.comparisons().map(|(comparison, value)| MetricFilter {
                        metric,
                        comparison,
                        value: value / metric_scale(name),
                    }));
                }
                filters
            }
        }

        /// What backtests can be sorted by.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
        pub(crate) enum BacktestOrderField {
            CreatedAt,
            CompletedAt,
            FinalBalance,
            TotalTrades,
            WinningTrades,
            LosingTrades,
            TotalPnl,
            TotalFees,
            $($variant,)*
        }

        impl BacktestOrderField {
            /// The order of the read model.
            pub(crate) fn sort(self) -> BacktestSort {
                let name = match self {
                    Self::CreatedAt => return BacktestSort::CreatedAt,
                    Self::CompletedAt => return BacktestSort::CompletedAt,
                    Self::FinalBalance => "final_balance",
                    Self::TotalTrades => "total_trades",
                    Self::WinningTrades => "winning_trades",
                    Self::LosingTrades => "losing_trades",
                    Self::TotalPnl => "total_pnl",
                    Self::TotalFees => "total_fees",
                    $(Self::$variant => stringify!($name),)*
                };
                Metric::parse(name).map_or(BacktestSort::CreatedAt, BacktestSort::Metric)
            }
        }

        #[cfg(test)]
        const NAMES: &[&str] = &[$(stringify!($name)),*];
    };
}

metrics! {
    sharpe_ratio SharpeRatio,
    sharpe_geometric SharpeGeometric,
    sortino_ratio SortinoRatio,
    volatility Volatility,
    annual_return AnnualReturn,
    cagr Cagr,
    calmar_ratio CalmarRatio,
    max_drawdown MaxDrawdown,
    max_drawdown_percentage MaxDrawdownPercentage,
    win_rate WinRate,
    profit_factor ProfitFactor,
    profit_factor_percent ProfitFactorPercent,
    average_trade AverageTrade,
    best_trade BestTrade,
    worst_trade WorstTrade,
    expectancy Expectancy,
    exposure Exposure,
    sqn Sqn,
    kelly Kelly,
    average_holding_seconds AverageHoldingSeconds,
    max_holding_seconds MaxHoldingSeconds,
    turnover Turnover,
    total_pnl_percentage TotalPnlPercentage,
    total_return TotalReturn,
    buy_and_hold_return BuyAndHoldReturn,
    alpha Alpha,
    beta Beta,
    value_at_risk ValueAtRisk,
    conditional_value_at_risk ConditionalValueAtRisk,
    skew Skew,
    kurtosis Kurtosis,
    ulcer_index UlcerIndex,
    tail_ratio TailRatio,
    omega Omega,
    t_statistic TStatistic,
    p_value PValue,
    luck_percentile LuckPercentile,
    average_win AverageWin,
    average_loss AverageLoss,
    payoff_ratio PayoffRatio,
    longest_winning_streak LongestWinningStreak,
    longest_losing_streak LongestLosingStreak,
    recovery_factor RecoveryFactor,
    longest_drawdown_seconds LongestDrawdownSeconds,
}

fn periods(values: &Values) -> Vec<DrawdownPeriod> {
    let time = |ms: i64| chrono::DateTime::from_timestamp_millis(ms).map(Time);
    let period = |period: &domain::simulation::metrics::DrawdownPeriod| DrawdownPeriod {
        start: time(period.start),
        bottom: time(period.bottom),
        recovery: period.recovery.and_then(time),
        depth_percentage: period.depth * 100.0,
    };
    values.drawdown_periods.iter().map(period).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_of_the_domain_is_there() {
        assert_eq!(NAMES, Values::NAMES);
    }
}
