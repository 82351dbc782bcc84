//! The end of a run: what happens to trades that are still open.

use super::Engine;
use crate::simulation::{
    SimulationError,
    settings::{Finalize, OPEN_NEEDS_PRESET},
};

pub(super) use crate::simulation::trade::END_OF_DATA;

/// What a walk holds, as far as its end and liquidation are concerned.
pub(super) trait Holdings {
    /// Sells everything at the close of candle `index`, and forgets what waits.
    fn close_all(
        &mut self,
        engine: &mut Engine<'_>,
        index: usize,
        name: &'static str,
    ) -> Result<(), SimulationError>;

    /// Examines the last candle once more, everything leaving at market first. Only backtesting.py does that: it sees that
    /// candle's close before it fills at its open.
    fn examine_last(&mut self, engine: &mut Engine<'_>, last: usize)
    -> Result<(), SimulationError>;
}

/// That our own conventions have no `finalize: open`.
pub(super) fn needs_preset() -> SimulationError {
    SimulationError::Unsupported(OPEN_NEEDS_PRESET.to_owned())
}

impl Engine<'_> {
    /// Ends what is open, as the settings say, and marks the last candle anew.
    pub(super) fn finalize(&mut self, holdings: &mut impl Holdings) -> Result<(), SimulationError> {
        let last = self.input.candles.len() - 1;
        match self.input.settings.finalize {
            Finalize::LeaveOpen => return Ok(()),
            Finalize::Close => holdings.close_all(self, last, END_OF_DATA)?,
            // backtesting.py walks its queue once more over the last candle, closes first.
            Finalize::Open => holdings.examine_last(self, last)?,
        }
        self.unmark_last();
        if !self.is_ruined {
            self.mark(holdings, last)?;
        }
        self.mark_cash(last + 1)
    }
}
