//! The hash of a ledger, which an auditor can recompute from the stored payloads.

use sha2::{Digest as _, Sha256};

use super::events::LedgerEvent;
use crate::simulation::hash::{CanonicalError, Digest, canonical};

/// SHA-256 over the payloads from `LedgerOpened` up to `LedgerClosed`, without it, as canonical JSON (RFC 8785)
/// without the fields `id`, `trade_id` and `backtest_id`, joined by newlines. `LedgerRestarted` begins anew and is
/// not part of it, so that an interrupted run has the hash of an undisturbed one.
#[derive(Debug, Clone, Default)]
pub struct LedgerHasher {
    sha256: Sha256,
    is_begun: bool,
}

impl LedgerHasher {
    /// Takes the next event of the ledger; `LedgerClosed` changes nothing.
    ///
    /// # Errors
    /// A payload that canonical JSON cannot hold.
    pub fn add(&mut self, event: &LedgerEvent) -> Result<(), CanonicalError> {
        match event {
            LedgerEvent::LedgerRestarted { .. } => {
                *self = Self::default();
                return Ok(());
            }
            LedgerEvent::LedgerClosed { .. } => return Ok(()),
            LedgerEvent::LedgerOpened { .. }
            | LedgerEvent::TradeOpened { .. }
            | LedgerEvent::TradeClosed { .. }
            | LedgerEvent::TradeReduced { .. }
            | LedgerEvent::EquityRecorded { .. } => {}
        }
        let mut payload = serde_json::to_value(event)?;
        if let Some(fields) = payload.as_object_mut() {
            fields.retain(|name, _| !matches!(name.as_str(), "id" | "trade_id" | "backtest_id"));
        }
        if self.is_begun {
            self.sha256.update(b"\n");
        }
        self.sha256.update(canonical(&payload)?);
        self.is_begun = true;
        Ok(())
    }

    /// The hash of what was added.
    #[must_use]
    pub fn finish(self) -> Digest {
        Digest(self.sha256.finalize().into())
    }
}
