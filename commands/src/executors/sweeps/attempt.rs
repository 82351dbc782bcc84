//! One attempt at a sweep: start it on the pinned candles, compute, write its rows, and say how it ended.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use cqrs_es::Aggregate;
use domain::{
    event::Metadata,
    job::{Claim, JobAggregate},
    simulation::{ENGINE_VERSION, sweep::CancelToken},
    sweep::{LiveSweep, Sweep, SweepCommand, SweepCompletion},
};
use infra::postgres::{
    DatabaseError,
    event_store::{Append, Loaded, Outcome, Priority},
    sweep_queue::{SweepLease, SweepQueue},
    sweep_results,
};
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval_at},
};

use super::super::Executor;
use crate::{
    CommandError,
    execute::decide,
    sweep_execution::{SweepExecutionError, SweepOutcome, SweepWork},
};

/// Attempts before a sweep fails: each does all of the work anew.
const ATTEMPTS_MAX: u32 = 3;
/// How often the end of a sweep is decided again after a conflict.
const TRIES_MAX: usize = 5;
/// Progress is told, and the lease prolonged, so often; and after a third of the lease, where that is shorter.
const BEAT_EVERY: Duration = Duration::from_millis(200);
/// Between two looks at the sweep's stream, however often the log wakes.
const LOOK_PAUSE: Duration = Duration::from_millis(20);

/// What is to be done with the row of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// The sweep is over, by us or by others.
    Over,
    /// Anyone may take it; the attempt does not count.
    GivenBack,
    /// Another executor has it.
    Lost,
}

/// Why a computation should stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Halt {
    /// Cancelled or deleted: the log says which.
    Ended,
    /// Another executor may have it.
    LeaseLost,
    /// This process ends.
    Stopping,
}

/// How a sweep ends without a result.
enum End {
    Cancelled,
    Failed { code: &'static str, message: String },
}

/// An attempt at a sweep whose row we hold.
pub(super) struct Attempt<'a> {
    executor: &'a Arc<Executor>,
    queue: &'a SweepQueue,
    lease: &'a SweepLease,
    claim: Claim,
    metadata: Metadata,
    /// As we know it; a conflict tells when it went on.
    sweep: Loaded<Sweep>,
}

impl<'a> Attempt<'a> {
    /// Works on the sweep, and ends it or leaves it.
    pub(super) async fn make(
        executor: &'a Arc<Executor>,
        queue: &'a SweepQueue,
        lease: &'a SweepLease,
        stop: watch::Receiver<bool>,
    ) -> Result<Ended, CommandError> {
        let store = &executor.commands.store;
        let id = lease.sweep_id.to_string();
        let sweep = store.load::<Sweep>(&id).await?;
        let Some(live) = unfinished(&sweep) else { return Ok(Ended::Over) };
        let claim = Claim {
            executor: lease.lease_owner.clone(),
            attempt: lease.attempt.clamp(live.attempt().max(1), live.attempt() + 1),
        };
        let is_cancelled = live.cancellation_requested;
        let metadata = metadata(executor, &id, &claim).await?;
        let mut attempt = Self { executor, queue, lease, claim, metadata, sweep };
        if is_cancelled {
            return attempt.conclude(None, End::Cancelled).await;
        }
        if lease.attempt > ATTEMPTS_MAX {
            let message = format!("{ATTEMPTS_MAX} attempts brought no result");
            return attempt
                .conclude(None, End::Failed { code: "attempts_exhausted", message })
                .await;
        }
        attempt.work(stop).await
    }

    async fn work(mut self, stop: watch::Receiver<bool>) -> Result<Ended, CommandError> {
        let signals = Arc::new(CancelToken::default());
        let work = match self.under_lease(&signals, 0, &stop, self.prepare()).await {
            Ok(work) => work,
            Err(halted) => return self.leave(None, halted).await,
        };
        let command = SweepCommand::Start {
            claim: self.claim.clone(),
            dataset: work.dataset.clone(),
            engine_version: ENGINE_VERSION.to_owned(),
        };
        if !self.append(command).await? {
            return Ok(Ended::GivenBack);
        }
        let claim = Some(self.claim.clone());
        let completion = match self.compute(work, &signals, &stop).await {
            Ok(completion) => completion,
            Err(halted) => return self.leave(claim, halted).await,
        };
        let command = SweepCommand::Complete { claim: self.claim.clone(), completion };
        if self.append(command).await? {
            return Ok(Ended::Over);
        }
        // Cancelled or deleted meanwhile, or taken by another executor.
        self.conclude(claim, End::Cancelled).await
    }

    /// Ends the sweep, or gives it up, as the reason to stop asks for.
    async fn leave(&mut self, claim: Option<Claim>, halted: Halted) -> Result<Ended, CommandError> {
        match halted {
            Halted::By(Halt::Ended) => self.conclude(claim, End::Cancelled).await,
            Halted::By(Halt::LeaseLost) => Ok(Ended::Lost),
            Halted::By(Halt::Stopping) => Ok(Ended::GivenBack),
            Halted::Failed(end) => self.conclude(claim, end).await,
            Halted::Error(error) => Err(error),
        }
    }

    /// The candles of the pinned revision, or of the published one where none is pinned yet.
    async fn prepare(&self) -> Result<SweepWork, Halted> {
        let live = self.sweep.aggregate.live.as_ref().ok_or(Halted::By(Halt::Ended))?;
        let (request, pinned) = (live.request.clone(), live.dataset.clone());
        let candles = &self.executor.commands.candles;
        let revision = pinned.as_ref().map(|dataset| dataset.revision);
        let series = candles.series(&request.run.symbol, request.run.timeframe, revision).await?;
        let series = series.ok_or_else(|| Halted::from(SweepExecutionError::NoCandles))?;
        let prepared = tokio::task::spawn_blocking(move || {
            SweepWork::prepare(request, &series.candles, series.revision)
        });
        let work = prepared.await.map_err(internal)??;
        match pinned {
            Some(pinned) if work.dataset != pinned => Err(Halted::Failed(End::Failed {
                code: "other_dataset",
                message: format!(
                    "the candles of revision {} are not those of the first attempt: {} where {} was pinned",
                    pinned.revision, work.dataset.sha256, pinned.sha256
                ),
            })),
            Some(_) | None => Ok(work),
        }
    }

    /// Computes off the async threads and writes the rows, under the lease.
    async fn compute(
        &self,
        work: SweepWork,
        signals: &Arc<CancelToken>,
        stop: &watch::Receiver<bool>,
    ) -> Result<Box<SweepCompletion>, Halted> {
        // Also when this future is dropped: the threads must not outlive the attempt by long.
        let _cancelling = Cancelling(Arc::clone(signals));
        let (total, objective) = (work.runs_count(), work.request.spec.objective.clone());
        let threads = self.executor.options.sweeps.threads;
        let shared = Arc::clone(signals);
        let mut computing = tokio::task::spawn_blocking(move || work.compute(threads, &shared));
        let writing = async {
            let SweepOutcome { rows, completion } = (&mut computing).await.map_err(internal)??;
            let database = self.executor.commands.store.database();
            let hash = &completion.result_hash;
            sweep_results::write(database, self.lease.sweep_id, hash, &rows, &objective).await?;
            Ok(completion)
        };
        let done = self.under_lease(signals, total, stop, writing).await;
        if done.is_err() && !computing.is_finished() {
            signals.is_cancelled.store(true, Ordering::Relaxed);
            computing.await.map_err(internal)?.ok();
        }
        done
    }

    /// Does `work` while the lease is kept; what has to stop is dropped.
    async fn under_lease<T>(
        &self,
        signals: &CancelToken,
        total: usize,
        stop: &watch::Receiver<bool>,
        work: impl Future<Output = Result<T, Halted>>,
    ) -> Result<T, Halted> {
        tokio::select! {
            done = work => done,
            halt = self.keep(signals, total, stop.clone()) => Err(Halted::By(halt)),
        }
    }

    /// Keeps the lease, reports progress and watches the sweep's stream, until a reason to stop.
    async fn keep(
        &self,
        signals: &CancelToken,
        total: usize,
        mut stop: watch::Receiver<bool>,
    ) -> Halt {
        let store = &self.executor.commands.store;
        let lease_for = self.executor.options.lease;
        let mut wakeups = store.wakeups();
        let period = BEAT_EVERY.min(lease_for / 3).max(Duration::from_millis(1));
        let mut beat = interval_at(Instant::now() + period, period);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut kept_until = Instant::now() + lease_for;
        loop {
            let looked = tokio::select! {
                _ = beat.tick() => {
                    let now = Instant::now();
                    let percent = percent(signals.done.load(Ordering::Relaxed), total);
                    match self.queue.heartbeat(self.lease, lease_for, percent).await {
                        Ok(true) => {
                            kept_until = now + lease_for;
                            self.ended().await
                        }
                        Ok(false) => Ok(Some(Halt::LeaseLost)),
                        Err(error) => Err(error),
                    }
                }
                Ok(()) = wakeups.changed() => {
                    let looked = self.ended().await;
                    tokio::time::sleep(LOOK_PAUSE).await;
                    looked
                }
                () = infra::process::stopped(&mut stop) => return Halt::Stopping,
            };
            match looked {
                Ok(Some(halt)) => return halt,
                Ok(None) => {}
                Err(error) if Instant::now() < kept_until => {
                    tracing::warn!(%error, sweep_id = %self.lease.sweep_id, "a sweep lost sight of its lease");
                }
                Err(error) => {
                    tracing::warn!(%error, sweep_id = %self.lease.sweep_id, "a sweep lost its lease");
                    return Halt::LeaseLost;
                }
            }
        }
    }

    /// Whether someone cancelled or deleted the sweep since we know it.
    async fn ended(&self) -> Result<Option<Halt>, DatabaseError> {
        const ENDING: [&str; 3] = ["SweepCancellationRequested", "SweepCancelled", "SweepDeleted"];
        let (store, id) = (&self.executor.commands.store, self.lease.sweep_id.to_string());
        let events = store.read_stream(Sweep::TYPE, &id, self.sweep.sequence, 100).await?;
        let is_ended = events.iter().any(|event| ENDING.contains(&event.event_type.as_str()));
        Ok(is_ended.then_some(Halt::Ended))
    }

    /// Ends the sweep as said, or as cancelled where that was asked for; looks again after a conflict.
    async fn conclude(&mut self, claim: Option<Claim>, end: End) -> Result<Ended, CommandError> {
        let id = self.lease.sweep_id.to_string();
        for _ in 0..TRIES_MAX {
            self.sweep = self.executor.commands.store.load::<Sweep>(&id).await?;
            let Some(live) = unfinished(&self.sweep) else {
                self.forget_rows().await?;
                return Ok(Ended::Over);
            };
            if claim.is_some() && claim != live.claim {
                return Ok(Ended::Lost);
            }
            let command = match &end {
                _ if live.cancellation_requested => {
                    SweepCommand::ConfirmCancellation { claim: claim.clone() }
                }
                End::Cancelled => return Ok(Ended::Lost),
                End::Failed { code, message } => SweepCommand::Fail {
                    claim: claim.clone(),
                    code: (*code).to_owned(),
                    message: message.clone(),
                },
            };
            if self.append(command).await? {
                self.forget_rows().await?;
                return Ok(Ended::Over);
            }
        }
        Err(CommandError::Conflict("sweep"))
    }

    /// Removes what attempts at a sweep that is over wrote, but for its result. While another executor has the sweep, the rows
    /// may be what it is about to name.
    async fn forget_rows(&self) -> Result<(), DatabaseError> {
        let job = self.sweep.aggregate.job().filter(|job| !job.is_deleted);
        let result_hash = job.and_then(|job| job.result_hash.as_deref());
        let database = self.executor.commands.store.database();
        sweep_results::keep_only(database, self.lease.sweep_id, result_hash).await
    }

    /// Appends what the command makes of the sweep; false after a conflict.
    async fn append(&mut self, command: SweepCommand) -> Result<bool, CommandError> {
        let id = self.lease.sweep_id.to_string();
        let Loaded { aggregate, sequence, position } = self.sweep.clone();
        let (after, stream) = decide(aggregate, sequence, &id, command).await?;
        let made = i64::try_from(stream.events.len()).unwrap_or(i64::MAX);
        if made == 0 {
            return Ok(true);
        }
        let append = Append {
            streams: vec![stream],
            metadata: self.metadata.clone(),
            command: None,
            reservations: Vec::new(),
            priority: Priority::Interactive,
        };
        match self.executor.commands.store.append(append).await? {
            Outcome::Appended { last_position, .. } => {
                let position = position.max(last_position);
                self.sweep = Loaded { aggregate: after, sequence: sequence + made, position };
                Ok(true)
            }
            Outcome::Conflict => Ok(false),
            Outcome::Duplicate { .. } | Outcome::Taken { .. } => {
                Err(CommandError::Internal("an executor's append was a repeat".to_owned()))
            }
        }
    }
}

/// Why there is no result.
enum Halted {
    By(Halt),
    Failed(End),
    /// It may succeed another time: the lease runs out, and the attempt counts.
    Error(CommandError),
}

impl From<SweepExecutionError> for Halted {
    fn from(error: SweepExecutionError) -> Self {
        match error.code() {
            None => Self::By(Halt::Ended),
            Some(code) => Self::Failed(End::Failed { code, message: error.to_string() }),
        }
    }
}

impl From<DatabaseError> for Halted {
    fn from(error: DatabaseError) -> Self {
        Self::Error(error.into())
    }
}

impl From<CommandError> for Halted {
    fn from(error: CommandError) -> Self {
        Self::Error(error)
    }
}

fn internal(error: tokio::task::JoinError) -> CommandError {
    CommandError::Internal(error.to_string())
}

/// Cancels the computation when it goes out of scope.
struct Cancelling(Arc<CancelToken>);

impl Drop for Cancelling {
    fn drop(&mut self) {
        self.0.is_cancelled.store(true, Ordering::Relaxed);
    }
}

/// The sweep, while there is something to do for it.
fn unfinished(loaded: &Loaded<Sweep>) -> Option<&LiveSweep> {
    let live = loaded.aggregate.live.as_ref()?;
    live.is_unfinished().then_some(live)
}

/// All that an attempt appends follows from the request.
async fn metadata(executor: &Executor, id: &str, claim: &Claim) -> Result<Metadata, CommandError> {
    let first = executor.commands.store.read_stream(Sweep::TYPE, id, 0, 1).await?;
    let requested = first.first().ok_or(CommandError::NotFound("sweep"))?;
    let of_request: Metadata = serde_json::from_str(&requested.metadata)
        .map_err(|error| CommandError::Internal(error.to_string()))?;
    Ok(Metadata {
        actor: "system:executor".to_owned(),
        causation_id: Some(requested.event_id.to_string()),
        executor: Some(claim.executor.clone()),
        attempt: Some(claim.attempt.to_string()),
        ..of_request
    })
}

/// What is not completed never says so.
fn percent(done: usize, total: usize) -> u8 {
    let percent = done.saturating_mul(100).checked_div(total).unwrap_or(0);
    u8::try_from(percent.min(99)).unwrap_or(99)
}
