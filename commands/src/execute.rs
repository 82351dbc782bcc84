//! One command on one aggregate: load, decide, append; again if another append came first.

use cqrs_es::{Aggregate, event_sink::EventSink};
use domain::{access::Actor, event::Metadata};
use infra::{
    clock::Clock,
    postgres::event_store::{
        Append, CommandKey, EventStore, Loaded, Outcome, Priority, Reservation, StreamAppend,
        new_event,
    },
};

use crate::{
    context::{Accepted, CommandContext, IdempotencyKey},
    error::CommandError,
    handle::Commands,
};

/// How often a command is decided before a conflict is the caller's.
const TRIES_MAX: usize = 5;

/// What a use case wants of an aggregate, given how it was loaded.
pub(crate) struct Intent<C> {
    pub(crate) command: C,
    /// Names taken and released with it.
    pub(crate) reservations: Vec<Reservation>,
}

impl<C> From<C> for Intent<C> {
    fn from(command: C) -> Self {
        Self { command, reservations: Vec::new() }
    }
}

/// What became of a command.
pub(crate) enum Executed<A> {
    /// Done, now or before; the aggregate as it is after it.
    Done { after: A, position: i64 },
    /// Done by an earlier request with the same `Idempotency-Key`, to this aggregate.
    Replayed { aggregate_id: String, position: i64 },
    /// A name is someone else's.
    Taken,
}

impl<A> Executed<A> {
    /// Returns the result of a use case that takes no names and whose route has no key.
    pub(crate) fn accepted<T>(
        self,
        value: impl FnOnce(A) -> T,
    ) -> Result<Accepted<T>, CommandError> {
        match self {
            Self::Done { after, position } => {
                Ok(Accepted { value: value(after), position, is_replayed: false })
            }
            Self::Replayed { .. } | Self::Taken => {
                Err(CommandError::Internal("a command without a key was a repeat".to_owned()))
            }
        }
    }
}

/// Executes on an aggregate that exists: `intend` checks what was loaded and says what to do. It is asked
/// again after each conflict.
pub(crate) async fn execute<A, I>(
    commands: &Commands,
    aggregate_id: &str,
    context: &CommandContext,
    intend: impl Fn(&Loaded<A>) -> Result<I, CommandError>,
) -> Result<Executed<A>, CommandError>
where
    A: Aggregate<Services = ()>,
    A::Error: Into<CommandError>,
    I: Into<Intent<A::Command>>,
{
    for _ in 0..TRIES_MAX {
        let loaded = commands.store.load::<A>(aggregate_id).await?;
        let intent = intend(&loaded)?;
        check_precondition(context, loaded.sequence)?;
        let step =
            decide_and_append(commands, aggregate_id, context, loaded, intent.into()).await?;
        if let Some(executed) = step {
            return Ok(executed);
        }
    }
    Err(CommandError::Conflict(A::TYPE))
}

/// Executes the first command on a fresh id; nothing is loaded.
pub(crate) async fn create<A>(
    commands: &Commands,
    aggregate_id: &str,
    context: &CommandContext,
    intent: Intent<A::Command>,
) -> Result<Executed<A>, CommandError>
where
    A: Aggregate<Services = ()>,
    A::Error: Into<CommandError>,
{
    let nothing = Loaded { aggregate: A::default(), sequence: 0, position: 0 };
    let created = decide_and_append(commands, aggregate_id, context, nothing, intent).await?;
    created.ok_or(CommandError::Conflict(A::TYPE))
}

/// Returns the earlier result of this `Idempotency-Key`, if there is one.
pub(crate) async fn replayed(
    store: &EventStore,
    context: &CommandContext,
) -> Result<Option<Accepted<String>>, CommandError> {
    let (Some(IdempotencyKey { route, key, body_hash }), Some(owner)) =
        (&context.idempotency, context.actor.user_id())
    else {
        return Ok(None);
    };
    match store.find_command(owner, route, key).await? {
        Some(Outcome::Duplicate { position, aggregate_id, body_hash: earlier }) => {
            if earlier != *body_hash {
                return Err(CommandError::IdempotencyMismatch);
            }
            Ok(Some(Accepted { value: aggregate_id, position, is_replayed: true }))
        }
        Some(Outcome::Appended { .. } | Outcome::Conflict | Outcome::Taken { .. }) | None => {
            Ok(None)
        }
    }
}

/// Returns the aggregate after `command`, and the events that it makes, ready to be appended; none if it was done before.
pub(crate) async fn decide<A>(
    mut aggregate: A,
    sequence: i64,
    aggregate_id: &str,
    command: A::Command,
) -> Result<(A, StreamAppend), CommandError>
where
    A: Aggregate<Services = ()>,
    A::Error: Into<CommandError>,
{
    let sink = EventSink::default();
    aggregate.handle(command, &(), &sink).await.map_err(Into::into)?;
    let events: Result<Vec<_>, _> = sink.collect().await.iter().map(new_event).collect();
    let stream = StreamAppend {
        aggregate_type: A::TYPE,
        aggregate_id: aggregate_id.to_owned(),
        expected_sequence: sequence,
        events: events.map_err(|error| CommandError::Internal(error.to_string()))?,
    };
    Ok((aggregate, stream))
}

/// Returns `None` after a conflict.
async fn decide_and_append<A>(
    commands: &Commands,
    aggregate_id: &str,
    context: &CommandContext,
    loaded: Loaded<A>,
    intent: Intent<A::Command>,
) -> Result<Option<Executed<A>>, CommandError>
where
    A: Aggregate<Services = ()>,
    A::Error: Into<CommandError>,
{
    let Loaded { aggregate, sequence, position } = loaded;
    let (after, stream) = decide(aggregate, sequence, aggregate_id, intent.command).await?;
    if stream.events.is_empty() {
        return Ok(Some(Executed::Done { after, position }));
    }
    let append = Append {
        streams: vec![stream],
        metadata: metadata(context, &commands.clock),
        command: command_key(context, aggregate_id),
        reservations: intent.reservations,
        priority: Priority::Interactive,
    };
    match commands.store.append(append).await? {
        Outcome::Appended { last_position, .. } => {
            Ok(Some(Executed::Done { after, position: last_position }))
        }
        Outcome::Duplicate { position, aggregate_id, body_hash } => {
            let sent = context.idempotency.as_ref().map(|key| &key.body_hash);
            if sent.is_some_and(|sent| *sent != body_hash) {
                return Err(CommandError::IdempotencyMismatch);
            }
            Ok(Some(Executed::Replayed { aggregate_id, position }))
        }
        Outcome::Conflict => Ok(None),
        Outcome::Taken { .. } => Ok(Some(Executed::Taken)),
    }
}

fn check_precondition(context: &CommandContext, actual: i64) -> Result<(), CommandError> {
    match &context.expected_sequences {
        Some(expected) if !expected.contains(&actual) => {
            Err(CommandError::PreconditionFailed { actual })
        }
        Some(_) | None => Ok(()),
    }
}

fn metadata(context: &CommandContext, clock: &Clock) -> Metadata {
    let actor = match &context.actor {
        Actor::User(id) => format!("user:{id}"),
        Actor::System(name) => format!("system:{name}"),
    };
    Metadata {
        actor,
        correlation_id: Some(clock.new_ulid().to_string()),
        request_id: Some(context.request_id.clone()),
        traceparent: context.traceparent.clone(),
        ..Metadata::default()
    }
}

fn command_key(context: &CommandContext, aggregate_id: &str) -> Option<CommandKey> {
    let IdempotencyKey { route, key, body_hash } = context.idempotency.clone()?;
    let owner_id = context.actor.user_id()?;
    Some(CommandKey { owner_id, route, key, body_hash, aggregate_id: aggregate_id.to_owned() })
}
