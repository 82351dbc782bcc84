//! The conclusion of a finished walk: balance, metrics, warnings.

use rust_decimal::Decimal;

use super::{Engine, Followed};
use crate::simulation::{
    Input, SimulationError,
    error::overflow,
    metrics,
    outcome::Outcome,
    warnings::{self, Review},
};

impl Engine<'_> {
    /// Cash and what is held at the last close.
    pub(crate) fn final_balance(&self) -> Result<Decimal, SimulationError> {
        let close = self.input.candles.close.last().copied().unwrap_or_default();
        self.portfolio.balance(close)
    }

    /// What came of it.
    pub(crate) fn outcome(
        self,
        first_evaluated: usize,
        first_defined: usize,
    ) -> Result<Outcome, SimulationError> {
        let Input { candles, range_start, settings, .. } = self.input;
        let final_balance = self.final_balance()?;
        let run = metrics::Run {
            open_time: &candles.open_time[range_start..],
            close: &candles.close[range_start..],
            equity: &self.equity,
            trades: &self.portfolio.trades,
            places_from: Some(range_start),
            initial_balance: self.input.initial_balance,
            final_balance,
            funding: self.portfolio.funding(),
            timeframe: self.input.timeframe,
            hold_from: first_defined.saturating_sub(range_start),
            preset: settings.preset,
        };
        let curve = match self.followed {
            Followed::Curve(curve) => curve,
            Followed::Fall(_) => run.curve(),
        };
        let (metrics, tally) = metrics::calculate_all(&run, curve, settings.seed);
        // Infinite equity falls infinitely deep, and a metric that is not finite is none.
        if metrics.max_drawdown.is_none() {
            return Err(overflow("equity"));
        }
        let warnings = warnings::collect(&Review {
            input: &self.input,
            metrics: &metrics,
            tally: &tally,
            first_evaluated,
            first_defined,
            rejection: self.rejections.first.first(),
            rejections_count: self.rejections.count,
            liquidations_count: self.liquidations_count,
            ruin_shortfall: self.is_ruined.then_some(self.portfolio.shortfall),
        });
        Ok(Outcome {
            metrics,
            final_balance,
            final_balance_stop_first: final_balance,
            final_balance_target_first: final_balance,
            shortfall: self.portfolio.shortfall,
            funding: self.portfolio.funding(),
            ambiguous_trades_count: u32::try_from(tally.ambiguous_count).unwrap_or(u32::MAX),
            trades: self.portfolio.trades,
            equity: self.equity,
            warnings,
            rejections: self.rejections.first,
            rejections_count: self.rejections.count,
            expiries: self.expiries.first,
            expiries_count: self.expiries.count,
            first_evaluated,
        })
    }
}
