//! What a ledger held at chosen candles, entry by entry: neither the whole ledger nor a walk over the candles is needed.

use super::{
    Portfolio,
    mark::{MarkError, Pricing},
};
use crate::{
    ledger::LedgerEvent,
    simulation::{Candles, Settings},
};

/// Takes a ledger in order and notes the worth of what is held at the closes of some candles, longs and shorts added: the
/// `exposure` that [`mark`](super::mark::mark) has there.
pub struct Exposures<'a> {
    pricing: Pricing<'a>,
    /// Indices of candles, ascending.
    places: &'a [usize],
    /// At each place that no later entry can change.
    exposures: Vec<f64>,
    /// `None` before the ledger is opened.
    portfolio: Option<Portfolio>,
    /// The candle at whose close the last entry counted for the first time.
    latest: usize,
}

impl<'a> Exposures<'a> {
    /// At the closes of `places` among `candles`, ascending; a fill of the ledger is on one of the candles.
    ///
    /// # Errors
    /// Settings that cannot be simulated.
    pub fn try_new(
        candles: &'a Candles,
        settings: &'a Settings,
        places: &'a [usize],
    ) -> Result<Self, MarkError> {
        let pricing = Pricing::try_new(candles, settings)?;
        Ok(Self { pricing, places, exposures: Vec::new(), portfolio: None, latest: 0 })
    }

    /// Takes the next entry.
    ///
    /// # Errors
    /// [`MarkError`]: a ledger without its opening, a fill outside the candles, an exit of a trade that is not open.
    pub fn add(&mut self, entry: &LedgerEvent) -> Result<(), MarkError> {
        match entry {
            LedgerEvent::LedgerOpened { opening_cash, .. } => {
                self.portfolio = Some(Portfolio::new(*opening_cash));
            }
            LedgerEvent::LedgerRestarted { .. } => {
                (self.portfolio, self.latest) = (None, 0);
                self.exposures.clear();
            }
            LedgerEvent::TradeOpened { number, direction, fill, .. } => {
                let portfolio = self.reach(entry)?;
                portfolio.restore_entry(*number, *direction, fill)?;
            }
            LedgerEvent::TradeClosed(closed) => {
                let portfolio = self.reach(entry)?;
                is_open(portfolio, closed.number)?;
                portfolio.restore_exit(closed.number, &closed.fill)?;
            }
            LedgerEvent::TradeReduced { part, of_number, rest } => {
                let portfolio = self.reach(entry)?;
                is_open(portfolio, *of_number)?;
                portfolio.restore_part(*of_number, rest.quantity, part.funding, &part.fill)?;
            }
            LedgerEvent::EquityRecorded(_) | LedgerEvent::LedgerClosed { .. } => {}
        }
        Ok(())
    }

    /// The exposure at each place, after the last entry.
    ///
    /// # Errors
    /// A ledger without its opening.
    pub fn finish(mut self) -> Result<Vec<f64>, MarkError> {
        self.note_until(usize::MAX)?;
        Ok(self.exposures)
    }

    /// What is held when the entry is booked.
    fn reach(&mut self, entry: &LedgerEvent) -> Result<&mut Portfolio, MarkError> {
        if let Some(booking) = self.pricing.booking(entry, self.latest)? {
            self.latest = booking.index;
        }
        self.note_until(self.latest)
    }

    /// Notes the exposure at the places before that candle.
    fn note_until(&mut self, candle: usize) -> Result<&mut Portfolio, MarkError> {
        let portfolio = self.portfolio.as_mut().ok_or(MarkError::NotOpened)?;
        let close = &self.pricing.candles.close;
        let rest = &self.places[self.exposures.len()..];
        let reached = rest.iter().take_while(|place| **place < candle);
        self.exposures.extend(reached.map(|place| portfolio.exposure(close[*place])));
        Ok(portfolio)
    }
}

fn is_open(portfolio: &Portfolio, number: u32) -> Result<(), MarkError> {
    portfolio.position(number).map(|_| ()).ok_or(MarkError::UnknownTrade(number))
}
