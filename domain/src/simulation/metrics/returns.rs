//! Return and risk of the daily equity: Sharpe, Sortino, volatility, annual return, CAGR, Calmar.

use super::{Metrics, Run, count, ratio, real};
use crate::simulation::calendar::{DAY_MS, Days};

/// The last equity of each UTC day and its returns.
pub(super) struct Daily {
    /// Returns from the initial balance to the first day, and from each day to the next that has candles; they end with a
    /// total loss. Π(1 + r) is last ÷ initial.
    pub(super) returns: Vec<f64>,
    /// Σ return ÷ count.
    pub(super) mean: f64,
    /// Standard deviation with n − 1; none with fewer than two returns or where all are the same.
    pub(super) deviation: Option<f64>,
    /// What the returns begin with, and the last of the days' equities.
    ends: Option<(f64, f64)>,
    /// 365 where the market trades on weekends, else 252.
    periods_per_year: f64,
}

impl Daily {
    pub(super) fn of(run: &Run<'_>, days: &Days) -> Self {
        let mut returns = Vec::new();
        let initial = real(run.initial_balance);
        // backtesting.py has no return of the first day.
        let mut ends = run.preset.is_backtrail().then_some((initial, initial));
        for last_candle in &days.last_candles {
            let equity = run.equity[*last_candle];
            match &mut ends {
                None => ends = Some((equity, equity)),
                Some((_, last)) if *last > 0.0 => {
                    returns.push(equity / *last - 1.0);
                    *last = equity;
                }
                Some(_) => {}
            }
        }
        let periods_per_year = if days.has_weekends { 365.0 } else { 252.0 };
        let mean = returns.iter().sum::<f64>() / count(returns.len().max(1));
        let deviation = deviation(&returns, mean);
        Self { returns, mean, deviation, ends, periods_per_year }
    }
}

/// Returns the standard deviation with n − 1; `None` if it is nothing but rounding.
fn deviation(values: &[f64], mean: f64) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    let deviation = (squares / count(values.len() - 1)).sqrt();
    (deviation > 1e-14 * (1.0 + mean.abs())).then_some(deviation)
}

pub(super) fn measure(run: &Run<'_>, daily: &Daily, metrics: &mut Metrics) {
    let (initial, last) = (real(run.initial_balance), run.equity.last().copied());
    let years = run.periods_in_years();
    metrics.total_return = last.and_then(|last| ratio(last - initial, initial));
    let is_annual = !run.is_too_short();
    metrics.cagr = last
        .filter(|last| is_annual && years > 0.0 && *last >= 0.0)
        .map(|last| libm::pow(last / initial, 1.0 / years) - 1.0);

    let Some((first_day, last_day)) = daily.ends.filter(|_| !daily.returns.is_empty()) else {
        return;
    };
    let n = daily.periods_per_year;
    let root = n.sqrt();
    // Daily growth telescopes: the product of 1 + r is last ÷ first.
    let growth = (last_day >= 0.0)
        .then(|| libm::pow(last_day / first_day, 1.0 / count(daily.returns.len())));
    let annual_return = growth.map(|growth| libm::pow(growth, n) - 1.0);
    metrics.annual_return = annual_return.filter(|_| is_annual);
    metrics.calmar_ratio = metrics
        .annual_return
        .zip(metrics.max_drawdown_percentage)
        .and_then(|(annual, drawdown)| ratio(annual, drawdown));

    let downside: f64 = daily.returns.iter().map(|r| if *r < 0.0 { r * r } else { 0.0 }).sum();
    let downside = (downside / count(daily.returns.len())).sqrt();
    metrics.sortino_ratio = ratio(daily.mean * n, downside * root);

    metrics.volatility = (daily.returns.len() > 1).then(|| daily.deviation.unwrap_or(0.0) * root);
    metrics.sharpe_ratio = daily.deviation.map(|deviation| daily.mean / deviation * root);
    metrics.sharpe_geometric =
        annual_return.zip(growth).zip(daily.deviation).and_then(|((annual, growth), deviation)| {
            let square = growth * growth;
            let variance = libm::pow(deviation * deviation + square, n) - libm::pow(square, n);
            ratio(annual, variance.sqrt())
        });
}

impl Run<'_> {
    /// Whether the candles cover less than the 7 days from which annual figures say something.
    pub(super) fn is_too_short(&self) -> bool {
        self.covered_ms() < 7 * DAY_MS
    }

    /// From the first candle's opening to the last one's end.
    fn covered_ms(&self) -> i64 {
        let span =
            self.open_time.first().zip(self.open_time.last()).map(|(first, last)| last - first);
        span.map_or(0, |span| span + self.timeframe.duration_ms())
    }

    /// Years of 365.25 days between the openings of the first and the last candle.
    fn periods_in_years(&self) -> f64 {
        let (Some(first), Some(last)) = (self.open_time.first(), self.open_time.last()) else {
            return 0.0;
        };
        #[expect(clippy::cast_precision_loss, reason = "spans are far below 2^53 milliseconds")]
        let span = (last - first) as f64;
        span / 86_400_000.0 / 365.25
    }
}
