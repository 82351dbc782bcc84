//! An attempt at a job whose aggregate records it: load, claim, append, and conclude once there is no result.

use std::time::Duration;

use domain::{
    event::{Metadata, RecordedEvent},
    job::{Claim, Job, JobAggregate, JobCommand},
};
use infra::{
    postgres::{
        DatabaseError, EventStore,
        event_store::{Append, Loaded, Outcome, Priority, StreamAppend},
    },
    telemetry,
};
use metrics::counter;
use tokio::{task::JoinSet, time::timeout};

use super::{
    failure::{Failure, Finished, StopReason},
    lease::Lease,
};
use crate::{error::CommandError, execute::decide};

/// How often the end of a job is decided again after a conflict.
const TRIES_MAX: usize = 5;
/// Between two looks at the job's stream, however often the log wakes.
const LOOK_PAUSE: Duration = Duration::from_millis(20);
/// Between two looks at most.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// An attempt at a job that we hold the lease of.
pub(super) struct Attempt<'a, A> {
    store: &'a EventStore,
    pub(super) lease: &'a Lease,
    pub(super) id: String,
    pub(super) claim: Claim,
    is_claimed: bool,
    pub(super) metadata: Metadata,
    /// As far as this attempt knows it, and with what it holds; a conflict means that there is more.
    pub(super) history: RunHistory<A>,
    /// Decided, and appended with what comes next.
    held: Vec<StreamAppend>,
    /// While the log says that the job is ours.
    watching: Option<JoinSet<()>>,
}

/// A job with what its stream says beyond the aggregate.
pub(super) struct RunHistory<A> {
    pub(super) loaded: Loaded<A>,
    /// The request's event id and metadata: everything about the job follows from it.
    requested: (String, Metadata),
    /// Position and number of each attempt that claimed the job.
    claims: Vec<(i64, u32)>,
}

impl<A: JobAggregate> RunHistory<A> {
    async fn read(store: &EventStore, id: &str) -> Result<Self, DatabaseError> {
        let mut history = Self {
            loaded: Loaded { aggregate: A::default(), sequence: 0, position: 0 },
            requested: (String::new(), Metadata::default()),
            claims: Vec::new(),
        };
        for recorded in store.read_stream(A::TYPE, id, 0, i64::MAX).await? {
            history.apply(store, &recorded)?;
        }
        Ok(history)
    }

    fn apply(&mut self, store: &EventStore, recorded: &RecordedEvent) -> Result<(), DatabaseError> {
        let claim = |loaded: &Loaded<A>| loaded.aggregate.job().and_then(|job| job.claim.clone());
        let before = claim(&self.loaded);
        if recorded.event_type == A::EVENTS.requested {
            let metadata = serde_json::from_str(&recorded.metadata).map_err(|error| {
                let position = recorded.position;
                DatabaseError::Corrupt(format!("metadata at position {position}: {error}"))
            })?;
            self.requested = (recorded.event_id.to_string(), metadata);
        }
        self.loaded.aggregate.apply(store.decode(recorded)?);
        (self.loaded.sequence, self.loaded.position) = (recorded.sequence, recorded.position);
        if let Some(claim) = claim(&self.loaded).filter(|claim| before.as_ref() != Some(claim)) {
            self.claims.push((recorded.position, claim.attempt));
        }
        Ok(())
    }

    /// The job, while there is something to do for it.
    fn unfinished(&self) -> Option<&Job<A::Request>> {
        self.loaded.aggregate.job().filter(|job| job.is_unfinished())
    }

    pub(super) fn was_claimed(&self) -> bool {
        !self.claims.is_empty()
    }

    /// Attempts in a row since `position`. An attempt that was released has its number again.
    pub(super) fn attempts_since(&self, position: i64) -> usize {
        let since = self.claims.iter().filter(|(of_claim, _)| *of_claim > position);
        let mut attempts: Vec<u32> = since.map(|(_, attempt)| *attempt).collect();
        attempts.dedup();
        attempts.len()
    }
}

impl<'a, A: JobAggregate> Attempt<'a, A> {
    /// Reads the job's stream; `None` if there is nothing left to do for it.
    pub(super) async fn load(
        store: &'a EventStore,
        lease: &'a Lease,
    ) -> Result<Option<Self>, DatabaseError> {
        let id = lease.job.id.to_string();
        let history = RunHistory::<A>::read(store, &id).await?;
        let Some(job) = history.unfinished() else { return Ok(None) };
        let claim = Claim {
            executor: lease.job.lease_owner.clone(),
            attempt: lease.job.attempt.clamp(job.attempt().max(1), job.attempt() + 1),
        };
        let metadata = metadata(&history.requested, &claim);
        Ok(Some(Self {
            store,
            lease,
            id,
            claim,
            is_claimed: false,
            metadata,
            history,
            held: Vec::new(),
            watching: None,
        }))
    }

    /// The job as far as we know it.
    pub(super) fn job(&self) -> Result<&Job<A::Request>, Failure> {
        self.history.unfinished().ok_or(Failure::Stopped(StopReason::LogChanged))
    }

    /// Fails if the job should not be attempted again: its cancellation was asked for, or `is_exhausted`, for this reason.
    pub(super) fn admit(&self, is_exhausted: bool, reason: &str) -> Result<(), Failure> {
        if self.job()?.cancellation_requested {
            return Err(Failure::Stopped(StopReason::LogChanged));
        }
        if is_exhausted {
            let message = reason.to_owned();
            return Err(Failure::Rejected { code: "attempts_exhausted", message });
        }
        Ok(())
    }

    /// Decides the command; the events that it makes, and before them `with`, are appended with whatever is committed next.
    pub(super) async fn hold(
        &mut self,
        command: A::Command,
        with: Vec<StreamAppend>,
    ) -> Result<(), CommandError> {
        let Loaded { aggregate, sequence, position } = self.history.loaded.clone();
        let (after, stream) = decide(aggregate, sequence, &self.id, command).await?;
        let made = i64::try_from(stream.events.len()).unwrap_or(i64::MAX);
        self.history.loaded = Loaded { aggregate: after, sequence: sequence + made, position };
        self.held.extend(with);
        if made > 0 {
            self.held.push(stream);
        }
        Ok(())
    }

    /// Whether the log does not know yet that this attempt was begun.
    pub(super) const fn is_held(&self) -> bool {
        !self.is_claimed
    }

    /// Appends what is held; the first such append has the claim. Fails after a conflict: one of the claim is another's, and ours is
    /// given back.
    pub(super) async fn commit(&mut self, priority: Priority) -> Result<(), Failure> {
        if !self.append_held(priority).await? {
            if self.is_claimed {
                return Err(self.lease.overtaken());
            }
            counter!(telemetry::CLAIM_CONFLICTS, "kind" => A::TYPE).increment(1);
            return Err(Failure::Stopped(StopReason::ClaimConflict));
        }
        self.is_claimed = true;
        if self.watching.is_none() && self.history.unfinished().is_some() {
            self.watching = Some(self.watch());
        }
        Ok(())
    }

    /// Appends what is held, then `with`, then what the command makes of the job.
    pub(super) async fn advance(
        &mut self,
        command: A::Command,
        with: Vec<StreamAppend>,
        priority: Priority,
    ) -> Result<(), Failure> {
        self.hold(command, with).await?;
        self.commit(priority).await
    }

    /// Watches the job's stream for a cancellation or a deletion until the guard is dropped, and then stops the work.
    pub(super) fn watch(&self) -> JoinSet<()> {
        let (store, lease) = (self.store.clone(), self.lease.clone());
        let (id, sequence) = (self.id.clone(), self.history.loaded.sequence);
        let [.., cancelled, deleted] = A::EVENTS.endings;
        let stopping = [A::EVENTS.cancellation_requested, cancelled, deleted];
        let mut wakeups = store.wakeups();
        let mut watching = JoinSet::new();
        watching.spawn(async move {
            // A wake-up is a hint: it looks now and then without one.
            while !matches!(timeout(LOOK_EVERY, wakeups.changed()).await, Ok(Err(_))) {
                match store.read_stream(A::TYPE, &id, sequence, 100).await {
                    Ok(events) => {
                        if events.iter().any(|event| stopping.contains(&event.event_type.as_str()))
                        {
                            return lease.stop(StopReason::LogChanged);
                        }
                    }
                    Err(error) => {
                        tracing::debug!(%error, id, "a job's stream cannot be watched for now");
                    }
                }
                tokio::time::sleep(LOOK_PAUSE).await;
            }
        });
        watching
    }

    /// Ends the job as the failure says, or as cancelled if that was asked for; looks again after a conflict.
    pub(super) async fn conclude(
        &mut self,
        done: Result<(), Failure>,
    ) -> Result<Finished, Failure> {
        self.watching = None;
        let done = match done {
            // The claim comes before the failure of the attempt.
            Err(rejected @ Failure::Rejected { .. }) if !self.held.is_empty() => {
                self.commit(Priority::Interactive).await.and(Err(rejected))
            }
            done => done,
        };
        let end = match done {
            Ok(()) => return Ok(Finished::Completed),
            Err(Failure::Rejected { code, message }) => Some((code, message)),
            Err(Failure::Stopped(StopReason::LogChanged)) => None,
            Err(failure) => return Err(failure),
        };
        let claim = self.is_claimed.then(|| self.claim.clone());
        self.held.clear();
        for _ in 0..TRIES_MAX {
            self.history = RunHistory::read(self.store, &self.id).await?;
            let Some(job) = self.history.unfinished() else { return Ok(Finished::Before) };
            if claim.is_some() && claim != job.claim {
                return Err(Failure::Stopped(StopReason::LeaseLost));
            }
            let (finished, command) = match &end {
                _ if job.cancellation_requested => {
                    let claim = claim.clone();
                    (Finished::Cancelled, JobCommand::ConfirmCancellation { claim })
                }
                // No cancellation was asked for: another attempt got ahead of us.
                None => return Err(Failure::Stopped(StopReason::LeaseLost)),
                Some((code, message)) => {
                    let (code, message) = ((*code).to_owned(), message.clone());
                    (Finished::Failed, JobCommand::Fail { claim: claim.clone(), code, message })
                }
            };
            if self.append(command.into()).await? {
                return Ok(finished);
            }
        }
        Err(CommandError::Conflict(A::TYPE).into())
    }

    /// Decides the command anew and appends what it makes of the job; false after a conflict.
    async fn append(&mut self, command: A::Command) -> Result<bool, CommandError> {
        self.hold(command, Vec::new()).await?;
        self.append_held(Priority::Interactive).await
    }

    async fn append_held(&mut self, priority: Priority) -> Result<bool, CommandError> {
        let streams = std::mem::take(&mut self.held);
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
        match self.store.append(append).await? {
            Outcome::Appended { last_position, .. } => {
                let loaded = &mut self.history.loaded;
                loaded.position = loaded.position.max(last_position);
                Ok(true)
            }
            Outcome::Conflict => Ok(false),
            Outcome::Duplicate { .. } | Outcome::Taken { .. } => {
                Err(CommandError::Internal("an executor's append was a repeat".to_owned()))
            }
        }
    }
}

/// Everything that an attempt appends follows from the request.
fn metadata((event_id, of_request): &(String, Metadata), claim: &Claim) -> Metadata {
    Metadata {
        actor: "system:executor".to_owned(),
        causation_id: Some(event_id.clone()),
        executor: Some(claim.executor.clone()),
        attempt: Some(claim.attempt.to_string()),
        ..of_request.clone()
    }
}
