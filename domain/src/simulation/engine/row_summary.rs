//! What a row of a sweep keeps of a finished walk: only numbers, and buffers to reuse for the next one.

use super::{Engine, Followed};
use crate::simulation::{
    SimulationError, Trade,
    calendar::Days,
    error::overflow,
    exact,
    metrics::{self, LargestFall, calculate_key},
    sweep::Figures,
};

/// Memory that one run leaves to the next.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    equity: Vec<f64>,
    trades: Vec<Trade>,
    /// Of the range that all runs have in common.
    days: Option<Days>,
}

impl Engine<'_> {
    /// The same engine, at its beginning, in the memory of an earlier one.
    pub(crate) fn within(mut self, scratch: &mut Scratch) -> Self {
        self.equity = std::mem::take(&mut scratch.equity);
        self.equity.clear();
        self.portfolio.trades = std::mem::take(&mut scratch.trades);
        self.portfolio.trades.clear();
        self.followed = Followed::Fall(LargestFall::from(self.portfolio.cash_real()));
        self
    }

    /// The numbers that a full run would report; the objective's family of metrics among them.
    pub(crate) fn figures(
        self,
        first_defined: usize,
        objective: &str,
        scratch: &mut Scratch,
    ) -> Result<Figures, SimulationError> {
        let (candles, start) = (self.input.candles, self.input.range_start);
        let final_balance = self.final_balance()?;
        let funding = self.portfolio.funding();
        let trades = self.portfolio.trades;
        let days = scratch.days.take().unwrap_or_else(|| Days::of(&candles.open_time[start..]));
        let fall = match self.followed {
            Followed::Fall(fall) => fall,
            Followed::Curve(_) => LargestFall::from(exact::to_f64(self.input.initial_balance)),
        };
        let metrics = calculate_key(
            &metrics::Run {
                open_time: &candles.open_time[start..],
                close: &candles.close[start..],
                equity: &self.equity,
                trades: &trades,
                places_from: Some(start),
                initial_balance: self.input.initial_balance,
                final_balance,
                funding,
                timeframe: self.input.timeframe,
                hold_from: first_defined.saturating_sub(start),
                preset: self.input.settings.preset,
            },
            objective,
            &days,
            fall,
        );
        // Infinite equity falls infinitely deep, and a metric that is not finite is none.
        if metrics.max_drawdown.is_none() {
            return Err(overflow("equity"));
        }
        let ambiguous = trades.iter().filter(|trade| trade.is_ambiguous).count();
        let figures = Figures::new(final_balance, trades.len(), ambiguous, metrics);
        *scratch = Scratch { equity: self.equity, trades, days: Some(days) };
        Ok(figures)
    }
}
