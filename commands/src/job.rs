//! What the owner of a job can do with it, of whatever kind it is: request, cancel and delete it.

use std::{fmt::Display, str::FromStr, time::Duration};

use domain::{
    access::{self, Access, Actor, Ownership},
    job::{Job, JobAggregate, JobCommand, JobRequest, Status},
};
use infra::postgres::event_store::Loaded;
use tokio::time::{Instant, timeout_at};

use crate::{
    context::{Accepted, CommandContext},
    error::CommandError,
    execute::{Executed, create, execute, replayed},
    handle::Commands,
};

/// How long a cancellation waits for the job's executor.
const CANCELLATION_WAIT: Duration = Duration::from_secs(1);

impl Commands {
    /// Requests a job, under an id that begins with the time.
    pub(crate) async fn request_job<A, T>(
        &self,
        context: &CommandContext,
        request: A::Command,
    ) -> Result<Accepted<T>, CommandError>
    where
        A: JobAggregate,
        T: FromStr<Err: Display>,
    {
        let id = self.clock.new_uuid().to_string();
        match create::<A>(self, &id, context, request.into()).await? {
            Executed::Done { position, .. } => {
                parse_id(Accepted { value: id, position, is_replayed: false })
            }
            Executed::Replayed { aggregate_id, position } => {
                parse_id(Accepted { value: aggregate_id, position, is_replayed: true })
            }
            Executed::Taken => Err(CommandError::Internal("a job takes no names".to_owned())),
        }
    }

    /// Cancels a job; waits up to a second for its executor, and returns how far it got.
    pub(crate) async fn cancel_job<A: JobAggregate>(
        &self,
        context: &CommandContext,
        id: &str,
    ) -> Result<Accepted<Status>, CommandError> {
        let deadline = Instant::now() + CANCELLATION_WAIT;
        let mut wakeups = self.store.wakeups();
        if let Some(earlier) = replayed(&self.store, context).await? {
            return self.cancelled_before::<A>(earlier).await;
        }
        let executed = execute::<A, _>(self, id, context, |loaded| {
            owned(&context.actor, loaded, Access::Write)?;
            Ok(A::Command::from(JobCommand::Cancel))
        });
        let mut accepted = match executed.await? {
            Executed::Replayed { aggregate_id, position } => {
                let earlier = Accepted { value: aggregate_id, position, is_replayed: true };
                return self.cancelled_before::<A>(earlier).await;
            }
            executed @ (Executed::Done { .. } | Executed::Taken) => {
                executed.accepted(|after| status(&after))?
            }
        };
        while accepted.value == Status::Running {
            if !matches!(timeout_at(deadline, wakeups.changed()).await, Ok(Ok(()))) {
                break;
            }
            let now = self.store.load::<A>(id).await?;
            accepted.position = now.position;
            accepted.value = status(&now.aggregate);
        }
        Ok(accepted)
    }

    /// Returns how far the job got that a request with the same key cancelled.
    async fn cancelled_before<A: JobAggregate>(
        &self,
        earlier: Accepted<String>,
    ) -> Result<Accepted<Status>, CommandError> {
        let Accepted { value: id, position, is_replayed } = earlier;
        let now = self.store.load::<A>(&id).await?;
        Ok(Accepted { value: status(&now.aggregate), position, is_replayed })
    }

    /// Deletes a job in any state, stopping it.
    pub(crate) async fn delete_job<A: JobAggregate>(
        &self,
        context: &CommandContext,
        id: &str,
    ) -> Result<Accepted<()>, CommandError> {
        let executed = execute::<A, _>(self, id, context, |loaded| {
            owned(&context.actor, loaded, Access::Write)?;
            Ok(A::Command::from(JobCommand::Delete))
        });
        executed.await?.accepted(|_| ())
    }
}

/// The job, if it exists and the actor may do that to it.
pub(crate) fn owned<'a, A: JobAggregate>(
    actor: &Actor,
    loaded: &'a Loaded<A>,
    access: Access,
) -> Result<&'a Job<A::Request>, CommandError> {
    let job = loaded.aggregate.job().filter(|job| !job.is_deleted);
    let job = job.ok_or(CommandError::NotFound(A::Request::NOUN))?;
    let ownership = Ownership { owner_id: Some(job.request.owner_id()), is_public: false };
    access::check(actor, access, ownership)?;
    Ok(job)
}

/// The id of the aggregate that a command changed, or that an earlier one did.
pub(crate) fn parse_id<T: FromStr<Err: Display>>(
    accepted: Accepted<String>,
) -> Result<Accepted<T>, CommandError> {
    let Accepted { value, position, is_replayed } = accepted;
    let value = value.parse().map_err(|error| CommandError::Internal(format!("{error}")))?;
    Ok(Accepted { value, position, is_replayed })
}

fn status<A: JobAggregate>(aggregate: &A) -> Status {
    aggregate.job().map_or(Status::Pending, |job| job.status)
}
