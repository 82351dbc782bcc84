//! What warnings ask of a run's trades, gathered while they are measured: a pass over a million of them costs more than
//! the candles do.

use rust_decimal::Decimal;

use crate::simulation::{
    exact::Sum,
    trade::{END_OF_DATA, Trade},
};

/// Counts and sums over the trades of a run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    /// Open ones included.
    pub(crate) trades_count: usize,
    pub(crate) closed_count: usize,
    pub(crate) ambiguous_count: usize,
    /// Fees of the closed ones.
    pub(crate) fees: Sum,
    /// Pnl of the closed ones.
    pub(crate) pnl: Sum,
    /// Pnl of those that were closed before the end of the data.
    pub(crate) ended_pnl: Sum,
    /// Number and pnl of the best one that was closed, the last of equal ones.
    pub(crate) best: Option<(u32, Decimal)>,
    /// Number of the last one that is open, or was until the end of the data.
    pub(crate) last_open: Option<u32>,
}

impl Tally {
    /// Of all trades.
    #[cfg(test)]
    pub(crate) fn of(trades: &[Trade]) -> Self {
        let mut tally = Self::default();
        trades.iter().for_each(|trade| tally.add(trade));
        tally
    }

    pub(super) fn add(&mut self, trade: &Trade) {
        self.trades_count += 1;
        self.ambiguous_count += usize::from(trade.is_ambiguous);
        if let Some(pnl) = trade.pnl {
            self.closed_count += 1;
            self.fees.add(trade.entry.fee);
            self.pnl.add(pnl);
            if self.best.is_none_or(|(_, best)| pnl >= best) {
                self.best = Some((trade.number, pnl));
            }
        }
        let exit = trade.exit.as_ref();
        if let Some(exit) = exit {
            self.fees.add(exit.fee);
        }
        match exit.filter(|exit| exit.reason != END_OF_DATA) {
            None => self.last_open = Some(trade.number),
            Some(_) => {
                if let Some(pnl) = trade.pnl {
                    self.ended_pnl.add(pnl);
                }
            }
        }
    }
}
