//! One run: claim it, simulate on the pinned candles, write its ledger, and say how it ended.

use std::{sync::Arc, time::Instant};

use domain::{
    backtest::{Backtest, BacktestCommand, Request, commands::Completion},
    dataset::Dataset,
    event::Metadata,
    job::Claim,
    ledger::{Ledger, LedgerCommand, LedgerEvent},
    simulation::ENGINE_VERSION,
};
use infra::{
    postgres::{
        event_store::{Append, Loaded, Outcome, Priority, StreamAppend},
        run_queue::Lease,
    },
    telemetry,
};
use metrics::{counter, histogram};
use tokio::{sync::watch, task::JoinHandle};

use super::{
    Executor,
    control::{self, Halt, Signals},
    interruption::Interruption,
    ledger::LedgerAppender,
    prepare::{Prepared, prepare},
    simulate::{Simulation, simulate},
    standing::{LedgerStanding, Standing},
};
use crate::{CommandError, execute::decide};

/// Attempts in a row between which the ledger did not grow.
const FRUITLESS_ATTEMPTS_MAX: usize = 3;
/// How often the end of a run is decided again after a conflict.
const TRIES_MAX: usize = 5;

/// What is to be done with the row of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    Completed,
    Failed,
    Cancelled,
    /// It was over before we did anything.
    Over,
    /// Anyone may take it; the attempt does not count.
    GivenBack,
    /// Another executor has it.
    Lost,
}

/// How a run ends without a result.
enum End {
    Cancelled,
    Failed { code: &'static str, message: String },
}

/// Works on a leased run until it is over or has to be left.
pub(super) async fn run(executor: Arc<Executor>, lease: Lease, stop: watch::Receiver<bool>) {
    let backtest_id = lease.backtest_id;
    let queue = &executor.queue;
    let begun = Instant::now();
    let ended = attempt(&executor, &lease, stop).await;
    histogram!(telemetry::RUN_SECONDS, "outcome" => outcome(&ended)).record(begun.elapsed());
    tracing::debug!(?ended, %backtest_id, attempt = lease.attempt, elapsed = ?begun.elapsed(), "an attempt ended");
    let row = match ended {
        Ok(Ended::Completed | Ended::Failed | Ended::Cancelled | Ended::Over) => {
            queue.remove(&lease).await
        }
        Ok(Ended::GivenBack) => queue.release(&lease).await,
        Ok(Ended::Lost) => Ok(false),
        Err(error) => {
            tracing::error!(%error, %backtest_id, attempt = lease.attempt, "an attempt failed");
            return;
        }
    };
    if let Err(error) = row {
        tracing::warn!(%error, %backtest_id, "a lease is left to run out");
    }
}

/// How an attempt ended, for its figure.
fn outcome(ended: &Result<Ended, CommandError>) -> &'static str {
    match ended {
        Ok(Ended::Completed) => "completed",
        Ok(Ended::Failed) => "failed",
        Ok(Ended::Cancelled) => "cancelled",
        Ok(Ended::Over) => "over",
        Ok(Ended::GivenBack) => "given_back",
        Ok(Ended::Lost) => "lost",
        Err(_) => "error",
    }
}

async fn attempt(
    executor: &Arc<Executor>,
    lease: &Lease,
    stop: watch::Receiver<bool>,
) -> Result<Ended, CommandError> {
    let store = &executor.commands.store;
    let standing = Standing::read(store, lease.backtest_id).await?;
    let Some(live) = standing.unfinished() else { return Ok(Ended::Over) };
    let ledger = if standing.was_claimed() {
        LedgerStanding::read(store, lease.backtest_id).await?
    } else {
        LedgerStanding::default()
    };
    let claim = Claim {
        executor: lease.lease_owner.clone(),
        attempt: lease.attempt.clamp(live.attempt().max(1), live.attempt() + 1),
    };
    let metadata = metadata(&standing, &claim);
    let is_cancelled = live.cancellation_requested;
    let is_exhausted = standing.fruitless_attempts(ledger) >= FRUITLESS_ATTEMPTS_MAX;
    let mut attempt = Attempt { executor, lease, claim, metadata, backtest: standing.loaded };
    if is_cancelled {
        return attempt.conclude(None, End::Cancelled).await;
    }
    if is_exhausted {
        let message = format!("{FRUITLESS_ATTEMPTS_MAX} attempts in a row brought nothing");
        return attempt.conclude(None, End::Failed { code: "attempts_exhausted", message }).await;
    }
    let command = BacktestCommand::Claim(attempt.claim.clone());
    if !attempt.append(command, Vec::new(), Priority::Interactive).await? {
        counter!(telemetry::CLAIM_CONFLICTS).increment(1);
        return Ok(Ended::GivenBack);
    }
    attempt.work(ledger, stop).await
}

/// An attempt at a run whose row we hold.
struct Attempt<'a> {
    executor: &'a Arc<Executor>,
    lease: &'a Lease,
    claim: Claim,
    metadata: Metadata,
    /// As we know it; a conflict tells when it went on.
    backtest: Loaded<Backtest>,
}

impl Attempt<'_> {
    /// Simulates under the lease, and ends the run or leaves it.
    async fn work(
        mut self,
        ledger: LedgerStanding,
        stop: watch::Receiver<bool>,
    ) -> Result<Ended, CommandError> {
        let signals = Arc::new(Signals::default());
        let _control = Aborted(tokio::spawn(control::keep(
            Arc::clone(self.executor),
            self.lease.clone(),
            Arc::clone(&signals),
            self.backtest.sequence,
            stop,
        )));
        match self.complete(ledger, &signals).await {
            Ok(()) => Ok(Ended::Completed),
            Err(Interruption::Failed { code, message }) => {
                let claim = Some(self.claim.clone());
                self.conclude(claim, End::Failed { code, message }).await
            }
            Err(Interruption::Error(error)) => Err(error),
            Err(Interruption::Halted) => match signals.halt() {
                Some(Halt::Stopping) => Ok(Ended::GivenBack),
                Some(Halt::LeaseLost) => Ok(Ended::Lost),
                Some(Halt::Ended) | None => {
                    let claim = Some(self.claim.clone());
                    self.conclude(claim, End::Cancelled).await
                }
            },
        }
    }

    /// From the pinned candles to the result.
    async fn complete(
        &mut self,
        ledger: LedgerStanding,
        signals: &Arc<Signals>,
    ) -> Result<(), Interruption> {
        let Some(live) = &self.backtest.aggregate.live else { return Err(Interruption::Halted) };
        let (request, pinned) = (live.request.clone(), live.dataset.clone());
        let other_engine = live.engine_version.as_ref().is_some_and(|it| it != ENGINE_VERSION);
        let prepared = prepare(&self.executor.commands, &request, pinned.as_ref()).await?;
        let mut ledger = ledger;
        if other_engine && ledger.sequence > ledger.restarted_at {
            ledger = self.restart(&prepared.dataset, ledger).await?;
        } else {
            self.start(&prepared.dataset, Vec::new()).await?;
        }
        let store = self.executor.commands.store.clone();
        let metadata = self.metadata.clone();
        let mut writer = LedgerAppender::new(store, self.lease.backtest_id, metadata, ledger);
        let simulation = self.simulation(&request, prepared, signals);
        let (rest, completion) = simulate(simulation, &mut writer).await?;
        self.finish(writer, rest, completion, signals).await
    }

    fn simulation(
        &self,
        request: &Request,
        prepared: Prepared,
        signals: &Arc<Signals>,
    ) -> Simulation {
        Simulation {
            backtest_id: self.lease.backtest_id,
            request: request.clone(),
            prepared,
            signals: Arc::clone(signals),
        }
    }

    async fn start(
        &mut self,
        dataset: &Dataset,
        with: Vec<StreamAppend>,
    ) -> Result<(), Interruption> {
        let command = BacktestCommand::Start {
            claim: self.claim.clone(),
            dataset: dataset.clone(),
            engine_version: ENGINE_VERSION.to_owned(),
        };
        let is_started = self.append(command, with, Priority::Interactive).await?;
        if is_started { Ok(()) } else { Err(Interruption::Halted) }
    }

    /// Voids the entries of another engine, in one append with the new start.
    async fn restart(
        &mut self,
        dataset: &Dataset,
        standing: LedgerStanding,
    ) -> Result<LedgerStanding, Interruption> {
        let id = self.lease.backtest_id.to_string();
        let loaded = self.executor.commands.store.load::<Ledger>(&id).await?;
        let command = LedgerCommand::Restart { engine_version: ENGINE_VERSION.to_owned() };
        let (_, stream) = decide(loaded.aggregate, loaded.sequence, &id, command).await?;
        self.start(dataset, vec![stream]).await?;
        let sequence = loaded.sequence + 1;
        Ok(LedgerStanding { sequence, restarted_at: sequence, ..standing })
    }

    /// The ledger's last entries and the completion, in one append.
    async fn finish(
        &mut self,
        mut writer: LedgerAppender,
        rest: Vec<LedgerEvent>,
        completion: Box<Completion>,
        signals: &Signals,
    ) -> Result<(), Interruption> {
        let ledger = writer.close(rest).await?;
        if signals.halt().is_some() {
            return Err(Interruption::Halted);
        }
        let with = if ledger.events.is_empty() { Vec::new() } else { vec![ledger] };
        let command = BacktestCommand::Complete { claim: self.claim.clone(), completion };
        let is_completed = self.append(command, with, Priority::Ledger).await?;
        if is_completed { Ok(()) } else { Err(Interruption::Halted) }
    }

    /// Ends the run as said, or as cancelled where that was asked for; looks again after a conflict.
    async fn conclude(&mut self, claim: Option<Claim>, end: End) -> Result<Ended, CommandError> {
        let store = &self.executor.commands.store;
        for _ in 0..TRIES_MAX {
            let standing = Standing::read(store, self.lease.backtest_id).await?;
            let Some(live) = standing.unfinished() else { return Ok(Ended::Over) };
            if claim.is_some() && claim != live.claim {
                return Ok(Ended::Lost);
            }
            let (ended, command) = match &end {
                _ if live.cancellation_requested => {
                    let claim = claim.clone();
                    (Ended::Cancelled, BacktestCommand::ConfirmCancellation { claim })
                }
                // Nobody asked for it: the ledger went on without us.
                End::Cancelled => return Ok(Ended::Lost),
                End::Failed { code, message } => {
                    let (code, message) = ((*code).to_owned(), message.clone());
                    (Ended::Failed, BacktestCommand::Fail { claim: claim.clone(), code, message })
                }
            };
            self.backtest = standing.loaded;
            if self.append(command, Vec::new(), Priority::Interactive).await? {
                return Ok(ended);
            }
        }
        Err(CommandError::Conflict("backtest"))
    }

    /// Appends what the command makes of the backtest, together with `with`; false after a conflict.
    async fn append(
        &mut self,
        command: BacktestCommand,
        with: Vec<StreamAppend>,
        priority: Priority,
    ) -> Result<bool, CommandError> {
        let id = self.lease.backtest_id.to_string();
        let Loaded { aggregate, sequence, position } = self.backtest.clone();
        let (after, stream) = decide(aggregate, sequence, &id, command).await?;
        let made = i64::try_from(stream.events.len()).unwrap_or(i64::MAX);
        let mut streams = with;
        if made > 0 {
            streams.push(stream);
        }
        if streams.is_empty() {
            return Ok(true);
        }
        let append = Append {
            streams,
            metadata: self.metadata.clone(),
            command: None,
            reservations: Vec::new(),
            priority,
        };
        match self.executor.commands.store.append(append).await? {
            Outcome::Appended { last_position, .. } => {
                let position = position.max(last_position);
                self.backtest = Loaded { aggregate: after, sequence: sequence + made, position };
                Ok(true)
            }
            Outcome::Conflict => Ok(false),
            Outcome::Duplicate { .. } | Outcome::Taken { .. } => {
                Err(CommandError::Internal("an executor's append was a repeat".to_owned()))
            }
        }
    }
}

/// All that an attempt appends follows from the request.
fn metadata(standing: &Standing, claim: &Claim) -> Metadata {
    let (event_id, of_request) = &standing.requested;
    Metadata {
        actor: "system:executor".to_owned(),
        correlation_id: of_request.correlation_id.clone(),
        causation_id: Some(event_id.clone()),
        request_id: of_request.request_id.clone(),
        traceparent: of_request.traceparent.clone(),
        executor: Some(claim.executor.clone()),
        attempt: Some(claim.attempt.to_string()),
    }
}

/// Ends its task when it goes out of scope.
struct Aborted(JoinHandle<()>);

impl Drop for Aborted {
    fn drop(&mut self) {
        self.0.abort();
    }
}
