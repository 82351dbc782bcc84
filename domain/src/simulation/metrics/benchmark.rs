//! The run compared with the market: buy and hold, beta, alpha.

use super::{Metrics, Run, count, ratio, real};
use crate::simulation::indicators::larger;

pub(super) fn measure_hold(run: &Run<'_>, metrics: &mut Metrics) {
    let hold_from = run.close.get(run.hold_from).copied();
    metrics.buy_and_hold_return =
        hold_from.zip(run.close.last()).and_then(|(from, last)| ratio(last - from, from));
}

/// Beta and, from it and the hold's return, alpha.
pub(super) fn measure_beta(run: &Run<'_>, metrics: &mut Metrics) {
    let mut beta = Beta::default();
    beta.follow(run.equity, run.close);
    tell_beta(run, beta.finish(run.equity, run.close), metrics);
}

/// As [`measure_beta`], of a beta that is known.
pub(super) fn tell_beta(run: &Run<'_>, beta: Option<f64>, metrics: &mut Metrics) {
    metrics.beta = beta;
    let total_return = run.equity.last().map(|last| last / real(run.initial_balance) - 1.0);
    metrics.alpha = total_return
        .zip(metrics.beta.zip(metrics.buy_and_hold_return))
        .map(|(total_return, (beta, hold))| total_return - beta * hold);
}

/// How many candles are summed side by side; the order is fixed, so the bytes are too.
const LANES: usize = 4;

/// Running sums over log returns of equity (e) and market (m), a lane for every fourth candle.
#[derive(Debug, Default)]
struct Sums {
    e: [f64; LANES],
    m: [f64; LANES],
    em: [f64; LANES],
    mm: [f64; LANES],
}

/// cov(e, m) ÷ var(m), in steps; `None` if equity or a close is not above zero, or the market never moved.
#[derive(Debug, Default)]
pub(super) struct Beta {
    sums: Sums,
    /// Returns that were added, a multiple of [`LANES`].
    done: usize,
    is_undefined: bool,
}

impl Beta {
    /// Adds the returns up to the end of both columns, from their beginning, but for the last few.
    pub(super) fn follow(&mut self, equity: &[f64], close: &[f64]) {
        if self.is_undefined || equity.len() < self.done + 1 {
            return;
        }
        let (equity_now, _) = equity[self.done + 1..].as_chunks::<LANES>();
        let (equity_before, _) = equity[self.done..].as_chunks::<LANES>();
        let (close_now, _) = close[self.done + 1..].as_chunks::<LANES>();
        let (close_before, _) = close[self.done..].as_chunks::<LANES>();
        self.done += equity_now.len() * LANES;
        let markets = close_before.iter().zip(close_now);
        for ((before, now), market) in equity_before.iter().zip(equity_now).zip(markets) {
            if self.sums.add(before, now, market.0, market.1).is_none() {
                self.is_undefined = true;
                return;
            }
        }
    }

    pub(super) fn finish(mut self, equity: &[f64], close: &[f64]) -> Option<f64> {
        let is_positive = |values: &[f64]| values.first().is_some_and(|first| *first > 0.0);
        if equity.len() < 3 || !is_positive(equity) || !is_positive(close) {
            return None;
        }
        self.follow(equity, close);
        if self.is_undefined {
            return None;
        }
        // The last few candles, padded with returns of zero.
        let last = |values: &[f64]| {
            let rest = values.len() - 1 - self.done;
            let (mut before, mut now) = ([1.0; LANES], [1.0; LANES]);
            before[..rest].copy_from_slice(&values[self.done..][..rest]);
            now[..rest].copy_from_slice(&values[self.done + 1..]);
            (before, now)
        };
        let (market, equity_last) = (last(close), last(equity));
        let mut sums = self.sums;
        sums.add(&equity_last.0, &equity_last.1, &market.0, &market.1)?;
        let n = count(equity.len() - 1);
        let total = |lanes: [f64; LANES]| (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
        let market = total(sums.m);
        let covariance = total(sums.em) - total(sums.e) * market / n;
        let variance = total(sums.mm) - market * market / n;
        (variance > 1e-28 * n).then(|| covariance / variance)
    }
}

impl Sums {
    /// Adds the returns of a few candles; `None` if a value is not above zero.
    fn add(
        &mut self,
        equity_before: &[f64; LANES],
        equity_now: &[f64; LANES],
        close_before: &[f64; LANES],
        close_now: &[f64; LANES],
    ) -> Option<()> {
        let m = log_ratios(close_before, close_now)?;
        for (lane, m) in m.iter().enumerate() {
            self.m[lane] += m;
            self.mm[lane] += m * m;
        }
        // Flat: equity stands still, and adding zeros would change nothing.
        if equity_before != equity_now {
            let e = log_ratios(equity_before, equity_now)?;
            for (lane, e) in e.iter().enumerate() {
                self.e[lane] += e;
                self.em[lane] += e * m[lane];
            }
        }
        Some(())
    }
}

/// ln(now ÷ before), given that `before` is above zero; `None` if `now` is not. With s = (now − before) ÷ (now + before) it
/// is 2 · artanh(s), whose series to s¹¹ is exact to the last digit or so for moves up to 6 %, at a fraction of a
/// logarithm's cost; beyond, a logarithm. Below 0.1 % the terms from s⁷ on are less than a last digit's half.
pub(super) fn log_ratios(before: &[f64; LANES], now: &[f64; LANES]) -> Option<[f64; LANES]> {
    const FAR: f64 = 0.03125;
    const NEAR: f64 = 0.000_976_562_5;
    let s: [f64; LANES] =
        std::array::from_fn(|lane| (now[lane] - before[lane]) / (now[lane] + before[lane]));
    let series = |s: f64| {
        let q = s * s;
        let inner = 1.0 / 7.0 + q * (1.0 / 9.0 + q * (1.0 / 11.0));
        2.0 * s + 2.0 * s * q * (1.0 / 3.0 + q * (1.0 / 5.0 + q * inner))
    };
    let furthest = larger(larger(s[0].abs(), s[1].abs()), larger(s[2].abs(), s[3].abs()));
    if furthest < NEAR {
        return Some(s.map(|s| {
            let q = s * s;
            2.0 * s + 2.0 * s * q * (1.0 / 3.0 + q * (1.0 / 5.0))
        }));
    }
    let mut logs = s.map(series);
    if furthest.is_nan() || furthest > FAR {
        for lane in 0..LANES {
            if s[lane].abs() > FAR {
                logs[lane] = libm::log(now[lane] / before[lane]);
            }
            if now[lane] <= 0.0 {
                return None;
            }
        }
    }
    Some(logs)
}
