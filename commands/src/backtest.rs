//! Use cases of backtests.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::{
    backtest::{Backtest, BacktestCommand, Origin, Request},
    ids::BacktestId,
    job::Status,
    market::Timeframe,
    number::Number,
    simulation::Settings,
};
use rust_decimal::Decimal;

use crate::{
    context::{Accepted, CommandContext},
    error::CommandError,
    execute::replayed,
    handle::Commands,
    job::parse_id,
};

/// A run as a user asks for it.
#[derive(Debug, Clone)]
pub struct BacktestDraft {
    /// An id, the slug of one of the user's own, or a built-in's slug; `None` if it is missing or cannot be read.
    pub strategy: Option<String>,
    /// A market's symbol or an asset; `None` if it is missing or cannot be read.
    pub symbol: Option<String>,
    /// The base asset that the market must have, if it is named beside the symbol.
    pub asset: Option<String>,
    pub quote: Option<String>,
    pub timeframe: Timeframe,
    /// Defaults to the first stored candle.
    pub start_time: Option<DateTime<Utc>>,
    /// Inclusive. Defaults to the last stored candle.
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
        context: &CommandContext,
        draft: &BacktestDraft,
    ) -> Result<Accepted<BacktestId>, CommandError> {
        if let Some(earlier) = replayed(&self.store, context).await? {
            return parse_id(earlier);
        }
        let request = self.check_backtest(&context.actor, draft).await?;
        self.request_checked(context, request).await
    }

    /// Requests a run that [`Self::check_backtest`] found good.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub(crate) async fn request_checked(
        &self,
        context: &CommandContext,
        request: Request,
    ) -> Result<Accepted<BacktestId>, CommandError> {
        let request = BacktestCommand::Request(Box::new(request));
        self.request_job::<Backtest, _>(context, request).await
    }

    /// Cancels a run; waits up to a second for its executor, and returns its status.
    ///
    /// # Errors
    /// `not_cancellable` for a completed or failed one, and see [`CommandError`].
    pub async fn cancel_backtest(
        &self,
        context: &CommandContext,
        id: BacktestId,
    ) -> Result<Accepted<Status>, CommandError> {
        self.cancel_job::<Backtest>(context, &id.to_string()).await
    }

    /// Deletes a run in any state, stopping it.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub async fn delete_backtest(
        &self,
        context: &CommandContext,
        id: BacktestId,
    ) -> Result<Accepted<()>, CommandError> {
        self.delete_job::<Backtest>(context, &id.to_string()).await
    }
}
