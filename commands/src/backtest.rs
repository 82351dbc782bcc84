//! Use cases of backtests.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};
use domain::{
    access::{self, Access, Actor, Ownership},
    backtest::{Backtest, BacktestCommand, LiveBacktest, Origin, Request},
    ids::BacktestId,
    job::Status,
    market::Timeframe,
    number::Number,
    simulation::Settings,
};
use infra::postgres::event_store::Loaded;
use rust_decimal::Decimal;
use tokio::time::{Instant, timeout_at};

use crate::{
    Accepted, CommandContext, CommandError, Commands,
    execute::{Executed, create, execute, replayed},
};

/// How long a cancellation waits for the run's executor.
pub(crate) const CANCELLATION_WAIT: Duration = Duration::from_secs(1);

/// A run as a user asks for it.
#[derive(Debug, Clone)]
pub struct BacktestDraft {
    /// An id, one's own slug, or a built-in's slug; none where there was none that could be read.
    pub strategy: Option<String>,
    /// A market's symbol or an asset; none where there was none that could be read.
    pub symbol: Option<String>,
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
        context: &CommandContext,
        draft: &BacktestDraft,
    ) -> Result<Accepted<BacktestId>, CommandError> {
        if let Some(earlier) = replayed(&self.store, context).await? {
            return backtest_id(earlier);
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
        let id = BacktestId::new(self.clock.new_uuid());
        let intent = BacktestCommand::Request(Box::new(request)).into();
        match create::<Backtest>(self, &id.to_string(), context, intent).await? {
            Executed::Done { position, .. } => {
                Ok(Accepted { value: id, position, is_replayed: false })
            }
            Executed::Replayed { aggregate_id, position } => {
                backtest_id(Accepted { value: aggregate_id, position, is_replayed: true })
            }
            Executed::Taken => Err(CommandError::Internal("a backtest takes no names".to_owned())),
        }
    }

    /// Cancels a run; waits up to a second for its executor and answers where it stands.
    ///
    /// # Errors
    /// `not_cancellable` for a completed or failed one, and see [`CommandError`].
    pub async fn cancel_backtest(
        &self,
        context: &CommandContext,
        id: BacktestId,
    ) -> Result<Accepted<Status>, CommandError> {
        let intend = |loaded: &Loaded<Backtest>| {
            writable(&context.actor, loaded)?;
            Ok(BacktestCommand::Cancel)
        };
        let deadline = Instant::now() + CANCELLATION_WAIT;
        let mut wakeups = self.store.wakeups();
        let id = id.to_string();
        let executed = execute::<Backtest, _>(self, &id, context, intend).await?;
        let mut accepted = executed.accepted(status)?;
        while accepted.value == Status::Running {
            if !matches!(timeout_at(deadline, wakeups.changed()).await, Ok(Ok(()))) {
                break;
            }
            let now = self.store.load::<Backtest>(&id).await?;
            accepted.position = now.position;
            accepted.value = status(now.aggregate);
        }
        Ok(accepted)
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
        let intend = |loaded: &Loaded<Backtest>| {
            writable(&context.actor, loaded)?;
            Ok(BacktestCommand::Delete)
        };
        execute(self, &id.to_string(), context, intend).await?.accepted(|_: Backtest| ())
    }
}

/// The backtest, if it exists and the actor may change it.
fn writable<'a>(
    actor: &Actor,
    loaded: &'a Loaded<Backtest>,
) -> Result<&'a LiveBacktest, CommandError> {
    let live = loaded.aggregate.live.as_ref().filter(|live| !live.is_deleted);
    let live = live.ok_or(CommandError::NotFound("backtest"))?;
    let ownership = Ownership { owner_id: Some(live.request.run.owner_id), is_public: false };
    access::check(actor, Access::Write, ownership)?;
    Ok(live)
}

fn status(backtest: Backtest) -> Status {
    backtest.live.map_or(Status::Pending, |live| live.status)
}

/// The id out of an earlier answer.
pub(crate) fn backtest_id(
    accepted: Accepted<String>,
) -> Result<Accepted<BacktestId>, CommandError> {
    let Accepted { value, position, is_replayed } = accepted;
    let value = value.parse().map_err(|error| CommandError::Internal(format!("{error}")))?;
    Ok(Accepted { value, position, is_replayed })
}
