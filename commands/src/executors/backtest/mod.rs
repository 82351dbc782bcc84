//! Backtests: claim the run, simulate on the pinned candles, write its ledger, and complete it; a short run in one append.

mod ledger;
mod prepare;
mod simulate;

use std::{pin::pin, time::Duration};

use domain::{
    backtest::{Backtest, BacktestCommand, commands::Completion},
    dataset::Dataset,
    decimals::Decimals,
    ids::BacktestId,
    ledger::{Ledger, LedgerCommand, LedgerEvent},
    simulation::ENGINE_VERSION,
};
use infra::postgres::{
    event_store::{Priority, StreamAppend},
    jobs::{BACKTEST, JobKind},
};

use tokio::time::timeout;

use self::{
    ledger::{LedgerAppender, LedgerProgress},
    prepare::prepare,
    simulate::simulate,
};
use super::{
    attempt::Attempt,
    failure::{Failure, Finished},
    lease::Lease,
    work::Work,
};
use crate::{error::CommandError, execute::decide, handle::Commands};

/// Attempts in a row between which the ledger did not grow.
const FRUITLESS_ATTEMPTS_MAX: usize = 3;
/// How long a run goes on before the log has its claim and its start.
const HELD_FOR: Duration = Duration::from_millis(20);

/// The work of backtests.
pub(super) struct Backtests {
    pub(super) commands: Commands,
}

impl Work for Backtests {
    const KIND: JobKind = BACKTEST;

    async fn work(&self, lease: &Lease) -> Result<Finished, Failure> {
        let loaded = Attempt::<Backtest>::load(&self.commands.store, lease).await?;
        let Some(mut attempt) = loaded else { return Ok(Finished::Before) };
        let done = self.complete(&mut attempt).await;
        attempt.conclude(done).await
    }
}

impl Backtests {
    /// From the claim to the result.
    async fn complete(&self, attempt: &mut Attempt<'_, Backtest>) -> Result<(), Failure> {
        let (store, lease) = (&self.commands.store, attempt.lease);
        let backtest_id = BacktestId::new(lease.job.id);
        let mut ledger = match attempt.history.was_claimed() {
            true => LedgerProgress::read(store, backtest_id).await?,
            false => LedgerProgress::default(),
        };
        let fruitless = attempt.history.attempts_since(ledger.position);
        let reason = format!("{FRUITLESS_ATTEMPTS_MAX} attempts in a row brought nothing");
        attempt.admit(fruitless >= FRUITLESS_ATTEMPTS_MAX, &reason)?;
        attempt.hold(BacktestCommand::Claim(attempt.claim.clone()), Vec::new()).await?;
        if lease.job.attempt > 1 {
            // An earlier attempt ended without a word: the log counts this one, whatever becomes of it.
            attempt.commit(Priority::Interactive).await?;
        }
        let job = attempt.job()?;
        let (request, earlier) = (job.request.clone(), job.dataset.clone());
        let is_other_engine = job.engine_version.as_ref().is_some_and(|it| it != ENGINE_VERSION);
        let preparing = prepare(&self.commands, &request, earlier.as_ref());
        let (run, dataset, decimals) = meanwhile(attempt, preparing).await?;
        let pinned = Pinned { dataset, decimals };
        if is_other_engine && ledger.sequence > ledger.restarted_at {
            ledger = self.restart(attempt, pinned, ledger).await?;
        } else {
            start(attempt, pinned, Vec::new()).await?;
            if !attempt.is_held() {
                attempt.commit(Priority::Interactive).await?;
            }
        }
        let metadata = attempt.metadata.clone();
        let mut writer = LedgerAppender::new(store.clone(), lease.clone(), metadata, ledger);
        let (rest, completion) = simulate(backtest_id, run, attempt, &mut writer).await?;
        finish(attempt, writer, rest, completion).await
    }

    /// Voids the entries of another engine, in one append with the new start.
    async fn restart(
        &self,
        attempt: &mut Attempt<'_, Backtest>,
        pinned: Pinned,
        progress: LedgerProgress,
    ) -> Result<LedgerProgress, Failure> {
        let id = attempt.id.clone();
        let loaded = self.commands.store.load::<Ledger>(&id).await?;
        let command = LedgerCommand::Restart { engine_version: ENGINE_VERSION.to_owned() };
        let (_, stream) = decide(loaded.aggregate, loaded.sequence, &id, command).await?;
        start(attempt, pinned, vec![stream]).await?;
        attempt.commit(Priority::Interactive).await?;
        let sequence = loaded.sequence + 1;
        Ok(LedgerProgress { sequence, restarted_at: sequence, ..progress })
    }
}

/// The candles of a run.
struct Pinned {
    dataset: Dataset,
    decimals: Decimals,
}

/// Waits for `work`. What takes longer than [`HELD_FOR`] is announced: until then claim and start are held, and a run that is over by
/// then costs one append.
async fn meanwhile<T>(
    attempt: &mut Attempt<'_, Backtest>,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let mut work = pin!(work);
    if attempt.is_held() {
        if let Ok(done) = timeout(HELD_FOR, &mut work).await {
            return done;
        }
        attempt.commit(Priority::Interactive).await?;
    }
    work.await
}

async fn start(
    attempt: &mut Attempt<'_, Backtest>,
    Pinned { dataset, decimals }: Pinned,
    with: Vec<StreamAppend>,
) -> Result<(), CommandError> {
    let command = BacktestCommand::Start {
        claim: attempt.claim.clone(),
        dataset,
        decimals,
        engine_version: ENGINE_VERSION.to_owned(),
    };
    attempt.hold(command, with).await
}

/// The ledger's last entries and the completion, in one append.
async fn finish(
    attempt: &mut Attempt<'_, Backtest>,
    mut writer: LedgerAppender,
    rest: Vec<LedgerEvent>,
    completion: Box<Completion>,
) -> Result<(), Failure> {
    let ledger = writer.close(rest).await?;
    attempt.lease.check()?;
    let with = if ledger.events.is_empty() { Vec::new() } else { vec![ledger] };
    let command = BacktestCommand::Complete { claim: attempt.claim.clone(), completion };
    attempt.advance(command, with, Priority::Ledger).await
}
