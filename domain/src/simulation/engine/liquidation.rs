//! Marks equity at a close, and makes the only check whether it still covers the open trades.

use super::{Engine, finalize::Holdings};
use crate::simulation::SimulationError;

impl Engine<'_> {
    /// Marks equity at the close of candle `index`. If it does not exceed what is required, everything is sold there
    /// first, and if it is nothing or less, nothing follows.
    pub(super) fn mark(
        &mut self,
        holdings: &mut impl Holdings,
        index: usize,
    ) -> Result<(), SimulationError> {
        let close = self.input.candles.close[index];
        let mut equity = self.portfolio.equity(close);
        if !self.portfolio.open.is_empty() && equity <= self.required(close) {
            self.liquidations_count += 1;
            self.is_ruined |= equity <= 0.0;
            holdings.close_all(self, index, "liquidation")?;
            equity = self.portfolio.equity(close);
        }
        if !self.is_ruined {
            self.equity.push(equity);
            self.next = index + 1;
        }
        Ok(())
    }

    /// What equity must exceed when all that is held is worth `price` a unit.
    fn required(&self, price: f64) -> f64 {
        if self.maintenance == 0.0 {
            0.0
        } else {
            self.maintenance * self.portfolio.exposure(price)
        }
    }
}
