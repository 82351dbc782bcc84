//! Backtests: claim the run, simulate on the pinned candles, write its ledger, and complete it.

mod ledger;
mod prepare;
mod simulate;

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
use crate::{execute::decide, handle::Commands};

/// Attempts in a row between which the ledger did not grow.
const FRUITLESS_ATTEMPTS_MAX: usize = 3;

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
        attempt.claim(BacktestCommand::Claim(attempt.claim.clone())).await?;
        let _watching = attempt.watch();
        let job = attempt.job()?;
        let (request, earlier) = (job.request.clone(), job.dataset.clone());
        let is_other_engine = job.engine_version.as_ref().is_some_and(|it| it != ENGINE_VERSION);
        let (run, dataset, decimals) = prepare(&self.commands, &request, earlier.as_ref()).await?;
        let pinned = Pinned { dataset, decimals };
        if is_other_engine && ledger.sequence > ledger.restarted_at {
            ledger = self.restart(attempt, pinned, ledger).await?;
        } else {
            start(attempt, pinned, Vec::new()).await?;
        }
        let metadata = attempt.metadata.clone();
        let mut writer = LedgerAppender::new(store.clone(), lease.clone(), metadata, ledger);
        let (rest, completion) = simulate(backtest_id, run, lease.clone(), &mut writer).await?;
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
        let sequence = loaded.sequence + 1;
        Ok(LedgerProgress { sequence, restarted_at: sequence, ..progress })
    }
}

/// The candles of a run.
struct Pinned {
    dataset: Dataset,
    decimals: Decimals,
}

async fn start(
    attempt: &mut Attempt<'_, Backtest>,
    Pinned { dataset, decimals }: Pinned,
    with: Vec<StreamAppend>,
) -> Result<(), Failure> {
    let command = BacktestCommand::Start {
        claim: attempt.claim.clone(),
        dataset,
        decimals,
        engine_version: ENGINE_VERSION.to_owned(),
    };
    attempt.advance(command, with, Priority::Interactive).await
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
