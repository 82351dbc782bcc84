//! Metrics of the trades: win rate, profit factor, averages, exposure, quality, holding times, turnover.

use super::{
    Metrics, Run, count, exposure::Exposure, milliseconds, ratio, real, streaks::StreaksInOrder,
    tally::Tally,
};
use crate::simulation::{exact::Sum, trade::Fill};

/// Sums over the closed trades, in their order.
#[derive(Default)]
struct Sums {
    count: usize,
    wins_count: usize,
    losses_count: usize,
    wins: f64,
    losses: f64,
    positive_returns: f64,
    negative_returns: f64,
    log_growth: f64,
    /// Some trade lost all that it held, or more.
    is_wiped_out: bool,
    best: Option<f64>,
    worst: Option<f64>,
    holding_ms: i64,
    longest_ms: i64,
    pnls: Vec<f64>,
}

/// What measuring the trades leaves for others.
pub(super) struct Measured {
    /// Σ notional of all fills.
    pub(super) notional: f64,
    pub(super) tally: Tally,
}

/// In one pass over the trades.
pub(super) fn measure(run: &Run<'_>, metrics: &mut Metrics) -> Measured {
    let mut sums = Sums::default();
    let (mut tally, mut fees) = (Tally::default(), Sum::default());
    let (mut streaks, mut exposure) = (StreaksInOrder::default(), Exposure::new(run));
    let mut notional = 0.0;
    for trade in run.trades {
        tally.add(trade);
        streaks.add(trade);
        exposure.add(trade);
        let entry_notional = self::notional(&trade.entry);
        notional += entry_notional;
        fees.add(trade.entry.fee);
        let (Some(exit), Some(pnl)) = (&trade.exit, trade.pnl) else { continue };
        notional += self::notional(exit);
        fees.add(exit.fee);
        sums.add(real(pnl), entry_notional, exit.time - trade.entry.time);
    }
    let is_open = tally.closed_count < tally.trades_count;
    let change = run.final_balance.saturating_sub(run.initial_balance).saturating_sub(run.funding);
    metrics.total_pnl = if is_open { change.normalize() } else { tally.pnl.saturated() };
    metrics.total_fees = fees.saturated();
    metrics.total_pnl_percentage = ratio(real(metrics.total_pnl), real(run.initial_balance));
    metrics.exposure = exposure.measure();
    metrics.recovery_factor =
        metrics.max_drawdown.and_then(|fall| ratio(real(metrics.total_pnl), fall));
    sums.finish(metrics);
    streaks.measure(run.trades, metrics);
    Measured { notional, tally }
}

/// Σ notional ÷ mean equity.
pub(super) fn turnover(mean_equity: f64, notional: f64) -> Option<f64> {
    ratio(notional, mean_equity)
}

fn notional(fill: &Fill) -> f64 {
    real(fill.price) * real(fill.quantity)
}

impl Sums {
    fn add(&mut self, pnl: f64, entry_notional: f64, held_ms: i64) {
        self.count += 1;
        self.pnls.push(pnl);
        if pnl > 0.0 {
            self.wins_count += 1;
            self.wins += pnl;
        } else if pnl < 0.0 {
            self.losses_count += 1;
            self.losses -= pnl;
        }
        self.holding_ms += held_ms;
        self.longest_ms = self.longest_ms.max(held_ms);
        let Some(growth) = ratio(pnl, entry_notional) else { return };
        if growth > 0.0 {
            self.positive_returns += growth;
        } else {
            self.negative_returns -= growth;
        }
        self.best = Some(self.best.map_or(growth, |best| best.max(growth)));
        self.worst = Some(self.worst.map_or(growth, |worst| worst.min(growth)));
        if growth > -1.0 {
            self.log_growth += libm::log1p(growth);
        } else {
            self.is_wiped_out = true;
        }
    }

    fn finish(&self, metrics: &mut Metrics) {
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        metrics.total_trades = number(self.count);
        metrics.winning_trades = number(self.wins_count);
        metrics.losing_trades = number(self.losses_count);
        if self.count == 0 {
            return;
        }
        let n = count(self.count);
        let win_rate = count(self.wins_count) / n;
        metrics.win_rate = Some(win_rate);
        metrics.profit_factor = ratio(self.wins, self.losses);
        metrics.profit_factor_percent = ratio(self.positive_returns, self.negative_returns);
        let average = if self.is_wiped_out { 0.0 } else { libm::exp(self.log_growth / n) - 1.0 };
        metrics.average_trade = Some(average);
        metrics.best_trade = self.best;
        metrics.worst_trade = self.worst;
        metrics.expectancy = Some((self.positive_returns - self.negative_returns) / n);
        metrics.sqn = quality(&self.pnls, (self.wins - self.losses) / n, n);
        let average_win = ratio(self.wins, count(self.wins_count));
        let average_loss = ratio(self.losses, count(self.losses_count));
        metrics.average_win = average_win;
        metrics.average_loss = average_loss.map(|loss| -loss);
        metrics.payoff_ratio =
            average_win.zip(average_loss).and_then(|(win, loss)| ratio(win, loss));
        metrics.kelly = metrics.payoff_ratio.map(|payoff| win_rate - (1.0 - win_rate) / payoff);
        metrics.average_holding_seconds = Some(milliseconds(self.holding_ms) / n / 1_000.0);
        metrics.max_holding_seconds = Some(milliseconds(self.longest_ms) / 1_000.0);
    }
}

/// √n × mean ÷ standard deviation of the closed trades' pnl.
fn quality(pnls: &[f64], mean: f64, n: f64) -> Option<f64> {
    let squares: f64 = pnls.iter().map(|pnl| (pnl - mean) * (pnl - mean)).sum();
    if n < 2.0 {
        return None;
    }
    ratio(n.sqrt() * mean, (squares / (n - 1.0)).sqrt())
}
