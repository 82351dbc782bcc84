//! What a finished walk amounts to: balance, metrics, warnings.

use chrono::{DateTime, SecondsFormat};

use super::Engine;
use crate::simulation::{
    Input, SimulationError, metrics,
    outcome::{Outcome, Warning},
    settings::Warmup,
};

impl Engine<'_> {
    /// What came of it.
    pub(crate) fn outcome(
        self,
        first_evaluated: usize,
        first_defined: usize,
    ) -> Result<Outcome, SimulationError> {
        let Input { candles, range_start, settings, strategy, .. } = self.input;
        let last_close = candles.close.last().copied().unwrap_or_default();
        let final_balance = self.portfolio.balance(last_close)?;
        let metrics = metrics::calculate(&metrics::Run {
            open_time: &candles.open_time[range_start..],
            close: &candles.close[range_start..],
            equity: &self.equity,
            trades: &self.portfolio.trades,
            initial_balance: self.input.initial_balance,
            final_balance,
            timeframe: self.input.timeframe,
            hold_from: first_defined.saturating_sub(range_start),
            preset: settings.preset,
        });
        let mut warnings = settings.suspicious_units(&strategy.config);
        warnings.extend(self.short_warmup(first_evaluated, first_defined));
        warnings.extend(self.rejected());
        warnings.extend(self.liquidated());
        let ambiguous = self.portfolio.trades.iter().filter(|trade| trade.is_ambiguous).count();
        Ok(Outcome {
            metrics,
            final_balance,
            shortfall: self.portfolio.shortfall,
            ambiguous_trades_count: u32::try_from(ambiguous).unwrap_or(u32::MAX),
            trades: self.portfolio.trades,
            equity: self.equity,
            warnings,
            rejections: self.rejections,
            first_evaluated,
        })
    }

    fn short_warmup(&self, first_evaluated: usize, first_defined: usize) -> Option<Warning> {
        let Input { candles, range_start, settings, .. } = self.input;
        if settings.warmup == Warmup::InRange || first_evaluated == range_start {
            return None;
        }
        let time = DateTime::from_timestamp_millis(candles.open_time[first_evaluated])?;
        let time = time.to_rfc3339_opts(SecondsFormat::Secs, true);
        let needed = first_defined + 1;
        Some(Warning::new(
            "short_warmup",
            format!(
                "{range_start} of {needed} candles of warm-up lie before the range; rules are evaluated from {time} on"
            ),
        ))
    }

    fn rejected(&self) -> Option<Warning> {
        let first = self.rejections.first()?;
        let count = self.rejections_count;
        Some(Warning::new(
            "rejected_orders",
            format!("{count} entries were rejected, the first: {}", first.reason),
        ))
    }

    fn liquidated(&self) -> Option<Warning> {
        let shortfall = self.portfolio.shortfall;
        self.is_liquidated.then(|| {
            Warning::new(
                "liquidated",
                format!("equity fell to nothing and trading ended; {shortfall} could not be paid"),
            )
        })
    }
}
