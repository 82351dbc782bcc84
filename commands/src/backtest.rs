//! Use cases of backtests.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::{
    backtest::{Origin, Status},
    ids::BacktestId,
    market::Timeframe,
    number::Number,
    simulation::Settings,
};
use rust_decimal::Decimal;

use crate::{Accepted, CommandContext, CommandError, Commands};

/// A run as a user asks for it.
#[derive(Debug, Clone)]
pub struct BacktestDraft {
    /// An id, one's own slug, or a built-in's slug.
    pub strategy: String,
    /// A market's symbol or an asset.
    pub symbol: String,
    pub quote: Option<String>,
    pub timeframe: Timeframe,
    /// None: the first stored candle.
    pub start_time: Option<DateTime<Utc>>,
    /// None: the last stored candle. Inclusive.
    pub end_time: Option<DateTime<Utc>>,
    pub initial_balance: Decimal,
    pub parameters: BTreeMap<String, Number>,
    pub settings: Settings,
    pub origin: Origin,
}

impl Commands {
    /// Checks the draft against strategy and candles, pins everything and requests the run.
    ///
    /// # Errors
    /// All field errors at once, and see [`CommandError`].
    pub async fn request_backtest(
        &self,
        _context: &CommandContext,
        _draft: BacktestDraft,
    ) -> Result<Accepted<BacktestId>, CommandError> {
        let _ = (&self.store, &self.candles, &self.markets);
        todo!()
    }

    /// Cancels a run; waits up to a second for its executor and answers where it stands.
    ///
    /// # Errors
    /// `not_cancellable` for a completed or failed one, and see [`CommandError`].
    pub async fn cancel_backtest(
        &self,
        _context: &CommandContext,
        _id: BacktestId,
    ) -> Result<Accepted<Status>, CommandError> {
        todo!()
    }

    /// Deletes a run in any state, stopping it.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub async fn delete_backtest(
        &self,
        _context: &CommandContext,
        _id: BacktestId,
    ) -> Result<Accepted<()>, CommandError> {
        todo!()
    }
}
