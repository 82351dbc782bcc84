//! What a walk has marked so far, and how it reports that to its observer.

use super::{Engine, Followed};
use crate::simulation::{Input, Observer, SimulationError, Step, exact, metrics::Market};

/// Progress is reported, and the observer asked, at least once in so many candles.
pub(super) const PROGRESS_CANDLES: usize = 4_096;

impl Engine<'_> {
    /// Marks cash as the equity of every candle before `end` that is not marked yet.
    pub(super) fn mark_cash(&mut self, end: usize) -> Result<(), SimulationError> {
        let cash = exact::to_f64(self.portfolio.cash);
        while self.next < end {
            self.next = end.min(self.next + PROGRESS_CANDLES);
            self.equity.resize(self.next - self.input.range_start, cash);
            self.follow();
            self.progress()?;
        }
        Ok(())
    }

    /// Follows the curve while what was marked is still at hand.
    pub(super) fn follow(&mut self) {
        match &mut self.followed {
            Followed::Curve(curve) => {
                let Input { candles, range_start, .. } = self.input;
                let (open_time, close) =
                    (&candles.open_time[range_start..], &candles.close[range_start..]);
                curve.follow(Market { open_time, close }, &self.equity);
            }
            Followed::Fall(fall) => fall.follow(&self.equity),
        }
    }

    /// Forgets the mark of the last candle, to make it anew.
    pub(super) fn unmark_last(&mut self) {
        let last = self.input.candles.len() - 1;
        self.equity.truncate(last - self.input.range_start);
        self.next = last;
    }

    /// Reports progress if enough candles were walked since the last report.
    pub(super) fn progress(&mut self) -> Result<(), SimulationError> {
        if self.next < self.reported + PROGRESS_CANDLES { Ok(()) } else { self.report() }
    }

    /// Reports progress.
    pub(super) fn report(&mut self) -> Result<(), SimulationError> {
        self.reported = self.next;
        self.follow();
        let total = self.input.candles.len() - self.input.range_start;
        let done = self.next - self.input.range_start;
        let equity = self.equity.last().copied().unwrap_or_default();
        tell(self.observer, Step::Progress { done, total, equity })
    }
}

/// Tells the observer, which may stop the run.
pub(super) fn tell(observer: &mut dyn Observer, step: Step<'_>) -> Result<(), SimulationError> {
    if observer.observe(step).is_break() { Err(SimulationError::Stopped) } else { Ok(()) }
}
