//! The metrics of a run: one file per family, each with its formula and source.

mod benchmark;
mod curve;
mod drawdown;
mod exposure;
mod key;
mod recorded;
mod returns;
mod significance;
mod streaks;
mod summary;
mod tail;
mod tally;
mod trades;
mod units;

#[cfg(test)]
mod tests;

pub(crate) use curve::{Curve, Market};
pub(crate) use drawdown::LargestFall;
pub use drawdown::{DRAWDOWN_PERIODS_MAX, Drawdown, DrawdownPeriod, calculate_drawdown};
pub(crate) use key::calculate_key;
pub use key::{is_in_rows, is_key, is_objective};
pub use recorded::recorded_name;
pub(crate) use recorded::upcast;
pub use significance::luck_percentile;
pub use summary::{PerformanceSummary, generate_performance_summary};
pub(crate) use tally::Tally;
pub use units::{Unit, description};

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{calendar::Days, exact, settings::Preset, trade::Trade};
use crate::market::Timeframe;

macro_rules! metrics {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// All metrics of a run, as fractions. Undefined metrics are `None`, never NaN or infinite.
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(default)]
        pub struct Metrics {
            /// Closed trades; backtesting.py `# Trades`.
            pub total_trades: u32,
            /// Trades with pnl > 0.
            pub winning_trades: u32,
            /// Trades with pnl < 0.
            pub losing_trades: u32,
            /// Quote money, exact: Σ pnl of the trades, one that is still open marked at the last close.
            pub total_pnl: Decimal,
            /// Quote money, exact: Σ fees of all fills.
            pub total_fees: Decimal,
            $($(#[$doc])* #[serde(skip_serializing_if = "Option::is_none")] pub $name: Option<f64>,)*
            /// The deepest ones (at most [`DRAWDOWN_PERIODS_MAX`]) in chronological order.
            #[serde(skip_serializing_if = "Vec::is_empty")]
            pub drawdown_periods: Vec<DrawdownPeriod>,
        }

        impl Metrics {
            /// Names of the real-valued metrics, in the order of their documentation.
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

            /// Returns the metric of that name as a real number; `None` if it is undefined or unknown.
            #[must_use]
            pub fn get(&self, name: &str) -> Option<f64> {
                match name {
                    "total_trades" => Some(f64::from(self.total_trades)),
                    "winning_trades" => Some(f64::from(self.winning_trades)),
                    "losing_trades" => Some(f64::from(self.losing_trades)),
                    "total_pnl" => Some(real(self.total_pnl)),
                    "total_fees" => Some(real(self.total_fees)),
                    $(stringify!($name) => self.$name,)*
                    _ => None,
                }
            }

            /// Whatever is not finite becomes none.
            fn keep_finite(&mut self) {
                $(self.$name = self.$name.filter(|value| value.is_finite());)*
            }
        }
    };
}

// r: returns of the last equity of each UTC day, days without candles left out, the first against the initial balance (with
// the preset backtesting_py they begin with the second day); N: 365 when more than 0.6 × 2/7 of the candles lie on
// Saturday or Sunday, else 252.
metrics! {
    /// mean(r) ÷ std(r, ddof 1) × √N; empyrical `sharpe_ratio`, quantstats `sharpe`.
    sharpe_ratio,
    /// annual_return ÷ √((var(r, ddof 1) + (1 + g)²)^N − (1 + g)^2N), g the geometric mean of r; backtesting.py
    /// `Sharpe Ratio`.
    sharpe_geometric,
    /// mean(r) × N ÷ (√mean(min(r, 0)²) × √N); empyrical `sortino_ratio`, quantstats `sortino`.
    sortino_ratio,
    /// std(r, ddof 1) × √N; empyrical `annual_volatility`, quantstats `volatility`.
    volatility,
    /// (1 + g)^N − 1, g the geometric mean of r; empyrical `annual_return`, quantstats `cagr`, backtesting.py
    /// `Return (Ann.) [%]`. Undefined below 7 days.
    annual_return,
    /// (last equity ÷ initial balance)^(1 ÷ years) − 1, years of 365.25 days between the first and the last candle;
    /// backtesting.py `CAGR [%]`. Undefined below 7 days.
    cagr,
    /// annual_return ÷ max_drawdown_percentage; backtesting.py `Calmar Ratio`, empyrical `calmar_ratio`. Undefined below
    /// 7 days.
    calmar_ratio,
    /// max(peak − equity), quote money, on every candle from the running peak.
    max_drawdown,
    /// max(1 − equity ÷ peak), a fraction in events, percent in the API; backtesting.py `Max. Drawdown [%]`.
    #[serde(rename = "max_drawdown_fraction", alias = "max_drawdown_percentage")]
    max_drawdown_percentage,
    /// Trades with pnl > 0 ÷ trades; backtesting.py `Win Rate [%]`.
    win_rate,
    /// Σ winning pnl ÷ |Σ losing pnl|, in money.
    profit_factor,
    /// Σ positive returns ÷ |Σ negative returns| of the trades (pnl ÷ entry notional); backtesting.py `Profit Factor`.
    profit_factor_percent,
    /// Geometric mean of the trades' returns, 0 if one lost its whole position; backtesting.py `Avg. Trade [%]`.
    average_trade,
    /// The largest return of a trade; backtesting.py `Best Trade [%]`.
    best_trade,
    /// The smallest return of a trade; backtesting.py `Worst Trade [%]`.
    worst_trade,
    /// Mean of the trades' returns; backtesting.py `Expectancy [%]`.
    expectancy,
    /// Candles from a trade's entry to its exit, both included, ÷ candles; backtesting.py `Exposure Time [%]`.
    exposure,
    /// √trades × mean(pnl) ÷ std(pnl, ddof 1); backtesting.py `SQN`.
    sqn,
    /// win_rate − (1 − win_rate) ÷ (mean winning pnl ÷ mean losing pnl); backtesting.py `Kelly Criterion`.
    kelly,
    /// Mean time from entry to exit; backtesting.py `Avg. Trade Duration`, unrounded.
    average_holding_seconds,
    /// Longest time from entry to exit; backtesting.py `Max. Trade Duration`, unrounded.
    max_holding_seconds,
    /// Σ notional of all fills ÷ mean equity.
    turnover,
    /// total_pnl ÷ initial balance, a fraction in events, percent in the API.
    #[serde(rename = "total_pnl_fraction", alias = "total_pnl_percentage")]
    total_pnl_percentage,
    /// Last equity ÷ initial balance − 1; backtesting.py `Return [%]`.
    total_return,
    /// Last close ÷ close of the first candle of the range where every indicator has a value − 1; backtesting.py
    /// `Buy & Hold Return [%]`.
    buy_and_hold_return,
    /// total_return − beta × buy_and_hold_return; backtesting.py `Alpha [%]` at no risk-free rate.
    alpha,
    /// cov(e, m) ÷ var(m) of the log returns per candle of equity and close; backtesting.py `Beta`.
    beta,
    /// mean(r) + z(0.05) × std(r, ddof 1), a return: negative is a loss; quantstats `value_at_risk` at 95 %.
    value_at_risk,
    /// mean(r) − φ(z(0.05)) ÷ 0.05 × std(r, ddof 1), a return; quantstats `conditional_value_at_risk` at 95 %.
    conditional_value_at_risk,
    /// n ÷ ((n − 1)(n − 2)) × Σ((r − mean) ÷ std)³; quantstats `skew`.
    skew,
    /// Excess, corrected for bias: n(n + 1) ÷ ((n − 1)(n − 2)(n − 3)) × Σ((r − mean) ÷ std)⁴ − 3(n − 1)² ÷ ((n − 2)(n − 3));
    /// quantstats `kurtosis`.
    kurtosis,
    /// √(Σ d² ÷ (n − 1)), d the fractional drawdowns of the n daily returns; quantstats `ulcer_index`.
    ulcer_index,
    /// |95th percentile of r ÷ 5th percentile of r|, linear between ranks; quantstats and empyrical `tail_ratio`.
    tail_ratio,
    /// Σ positive r ÷ |Σ negative r|; quantstats and empyrical `omega` at threshold 0.
    omega,
    /// mean(r) ÷ (std(r, ddof 1) ÷ √n) of the n daily returns; Student's t, `scipy.stats.ttest_1samp` against 0.
    t_statistic,
    /// The probability of a `t_statistic` at least as far from zero if the mean is zero, two-sided, n − 1 degrees of
    /// freedom; `scipy.stats.ttest_1samp` against 0.
    p_value,
    /// 0 to 100: the percentage of resampled histories without an edge that earned less. See [`luck_percentile`].
    luck_percentile,
    /// Mean pnl of the trades with pnl > 0, quote money.
    average_win,
    /// Mean pnl of the trades with pnl < 0, quote money, negative.
    average_loss,
    /// average_win ÷ |average_loss|; quantstats `payoff_ratio`, of trades instead of days.
    payoff_ratio,
    /// Most trades with pnl > 0 in a row, in the order of their exits; a pnl of 0 ends a streak.
    longest_winning_streak,
    /// Most trades with pnl < 0 in a row, in the order of their exits; a pnl of 0 ends a streak.
    longest_losing_streak,
    /// total_pnl ÷ max_drawdown, both in money.
    recovery_factor,
    /// The longest time from a peak of equity to its recovery, or to the end; backtesting.py `Max. Drawdown Duration`.
    longest_drawdown_seconds,
}

/// What a result hash of version 2 covers, in this order. Metrics that come later are not hashed.
const HASHED: [&str; 43] = [
    "sharpe_ratio",
    "sharpe_geometric",
    "sortino_ratio",
    "volatility",
    "annual_return",
    "cagr",
    "calmar_ratio",
    "max_drawdown",
    "max_drawdown_percentage",
    "win_rate",
    "profit_factor",
    "profit_factor_percent",
    "average_trade",
    "best_trade",
    "worst_trade",
    "expectancy",
    "exposure",
    "sqn",
    "kelly",
    "average_holding_seconds",
    "max_holding_seconds",
    "total_fees",
    "turnover",
    "total_pnl",
    "total_pnl_percentage",
    "total_return",
    "buy_and_hold_return",
    "alpha",
    "beta",
    "value_at_risk",
    "conditional_value_at_risk",
    "skew",
    "kurtosis",
    "ulcer_index",
    "tail_ratio",
    "omega",
    "average_win",
    "average_loss",
    "payoff_ratio",
    "longest_winning_streak",
    "longest_losing_streak",
    "recovery_factor",
    "longest_drawdown_seconds",
];

impl Metrics {
    /// The names of all metrics: counts, amounts, then [`Self::NAMES`].
    pub fn all_names() -> impl Iterator<Item = &'static str> {
        let exact = ["total_trades", "winning_trades", "losing_trades", "total_pnl", "total_fees"];
        exact.into_iter().chain(Self::NAMES.iter().copied())
    }

    /// What the result hash covers, in its order: a list that is closed. The judgements of the daily returns
    /// (`t_statistic`, `p_value`, `luck_percentile`) and the drawdown periods, which follow from the equity, are not in it.
    #[must_use]
    pub fn hashed(&self) -> Vec<Option<f64>> {
        HASHED.iter().map(|name| self.get(name)).collect()
    }
}

/// What metrics are made of: the range's candles (without those before it), equity and trades.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// Epoch milliseconds UTC of each candle of the range, ascending.
    pub open_time: &'a [i64],
    /// The candles' closes, as many.
    pub close: &'a [f64],
    /// Equity at each close, as many.
    pub equity: &'a [f64],
    /// By number; some may be open.
    pub trades: &'a [Trade],
    /// The first candle of the range, as the places of the trades' fills count candles; `None` if they do not say it.
    pub places_from: Option<usize>,
    /// Quote money, above 0.
    pub initial_balance: Decimal,
    /// Quote money, an open trade marked at the last close.
    pub final_balance: Decimal,
    /// Quote money, received above 0: it is not pnl.
    pub funding: Decimal,
    pub timeframe: Timeframe,
    /// Index in the range of the first candle where every indicator has a value.
    pub hold_from: usize,
    /// backtesting.py does not count a trade that is open at the end as exposure, and no return of the first day.
    pub preset: Preset,
}

/// The metrics of a run, but for `luck_percentile`: [`luck_percentile`] needs a seed, and more work than all others.
#[must_use]
pub fn calculate(run: &Run<'_>) -> Metrics {
    measure(run, run.curve(), None).0
}

/// All metrics of a run whose curve has been followed up to some candle, and what its trades amount to.
pub(crate) fn calculate_all(run: &Run<'_>, curve: Curve, seed: u64) -> (Metrics, Tally) {
    measure(run, curve, Some(seed))
}

fn measure(run: &Run<'_>, curve: Curve, seed: Option<u64>) -> (Metrics, Tally) {
    let mut metrics = Metrics::default();
    let followed = curve.finish(run, &mut metrics);
    let trades::Measured { notional, tally } = trades::measure(run, &mut metrics);
    metrics.turnover = trades::turnover(followed.mean_equity, notional);
    benchmark::measure_hold(run, &mut metrics);
    benchmark::tell_beta(run, followed.beta, &mut metrics);
    let daily = returns::Daily::of(run, &Days::of(run.open_time));
    returns::measure(run, &daily, &mut metrics);
    significance::measure(&daily, &mut metrics);
    tail::measure(&daily, &mut metrics);
    metrics.keep_finite();
    metrics.luck_percentile = seed.and_then(|seed| significance::luck(&daily, seed));
    (metrics, tally)
}

/// A decimal as the nearest real number but for one rounding; the same on every machine.
#[must_use]
fn real(decimal: Decimal) -> f64 {
    exact::to_f64(decimal)
}

/// A count as a real number; exact below 2^53.
#[expect(clippy::cast_precision_loss, reason = "counts of candles, days and trades")]
const fn count(number: usize) -> f64 {
    number as f64
}

/// Milliseconds as a real number; exact below 2^53.
#[expect(clippy::cast_precision_loss, reason = "times are far below 2^53 milliseconds")]
const fn milliseconds(number: i64) -> f64 {
    number as f64
}

/// A quotient, if the divisor is not zero.
fn ratio(dividend: f64, divisor: f64) -> Option<f64> {
    (divisor != 0.0).then(|| dividend / divisor)
}
