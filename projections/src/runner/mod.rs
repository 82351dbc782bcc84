//! The runner: follows the log with every read model, in this process.

mod batch_writer;
mod checkpoints;
pub mod dead_letters;
pub(crate) mod progress;
pub mod rebuild;
pub mod status;
mod tables;
pub(crate) mod waiting;
mod write;

use std::{sync::Arc, time::Duration};

use domain::aggregates::EventAhead;
use infra::{
    pace::Pace,
    postgres::{DatabaseError, EventStore, event_store::Tail},
};
use tokio::{
    sync::watch,
    task::{JoinHandle, JoinSet},
    time,
};

use crate::{
    error::UnknownReadModel,
    handle::{OnPoison, ReadModels},
    read_model::ReadModel,
    registry::{self, READ_MODELS},
    runner::batch_writer::{BatchWriter, Step, UNSETTLED_FOR},
};

/// How often the log is polled; wake-ups are only hints.
const POLL_INTERVAL: Duration = Duration::from_millis(250);
/// A follower rests as long as its last batch took, but not for longer than this: at full load a batch has the events of several
/// runs, of which each would otherwise cost its own transaction.
const REST_SHARE: u32 = 1;
const REST_MAX: Duration = Duration::from_millis(20);
/// The longest pause after an error; it doubles up to this.
const RETRY_INTERVAL_MAX: Duration = Duration::from_secs(5);

/// A read model did not reach the end of the log.
#[derive(Debug, thiserror::Error)]
pub enum CatchUpError {
    #[error(transparent)]
    Unknown(#[from] UnknownReadModel),
    #[error("the projection has stopped after position {position}; see its dead letters")]
    Stopped { position: i64 },
    #[error("the projection rests: {0}")]
    Ahead(EventAhead),
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl ReadModels {
    /// Sets what the projection of that name does in this process after a poison event; defaults to stopping.
    ///
    /// # Errors
    /// The name, if no read model has it.
    pub fn with_on_poison(
        mut self,
        name: &str,
        action: OnPoison,
    ) -> Result<Self, UnknownReadModel> {
        self.on_poison.insert(registry::find(name)?.name, action);
        Ok(self)
    }
}

/// Starts one follower per read model; ends after `stop` changes to true. Any number of processes may run it.
#[must_use]
pub fn start(
    read_models: ReadModels,
    store: EventStore,
    stop: watch::Receiver<bool>,
) -> JoinHandle<()> {
    let presence = read_models.progress.runner_started();
    tokio::spawn(async move {
        let _presence = presence;
        let mut followers = JoinSet::new();
        let tail = Arc::new(Tail::new(store.clone()));
        for model in READ_MODELS {
            let mut follower = Follower::new(&read_models, &store, model);
            follower.writer = follower.writer.with_tail(Arc::clone(&tail));
            followers.spawn(follower.run(store.wakeups(), stop.clone()));
        }
        while let Some(ended) = followers.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a projection ended");
            }
        }
    })
}

/// Projects one read model to the end of the log. Returns how many events were folded.
///
/// # Errors
/// See [`CatchUpError`].
pub async fn catch_up(
    read_models: &ReadModels,
    store: &EventStore,
    name: &str,
) -> Result<u64, CatchUpError> {
    let mut follower = Follower::new(read_models, store, registry::find(name)?);
    let (_, stop) = watch::channel(false);
    match follower.advance(&stop).await? {
        Rest::AtEnd { events } => {
            follower.settle().await?;
            Ok(events)
        }
        Rest::Stopped { position } => Err(CatchUpError::Stopped { position }),
        Rest::Ahead(ahead) => Err(CatchUpError::Ahead(ahead)),
    }
}

/// Keeps the live table of one read model at the end of the log.
struct Follower {
    read_models: ReadModels,
    writer: BatchWriter,
    /// The writer continues from where the checkpoint is.
    is_placed: bool,
    /// That it reached the end at least once is noted.
    has_caught_up: bool,
    /// The position of the event before which it said last that it rests.
    rests_before: Option<i64>,
}

/// What a follower met.
enum Followed {
    Nothing,
    Events,
    /// This binary is too old for the next event.
    Ahead(EventAhead),
}

/// Why a follower rests.
enum Rest {
    AtEnd {
        events: u64,
    },
    Stopped {
        position: i64,
    },
    /// This binary is too old for the next event.
    Ahead(EventAhead),
}

impl Follower {
    fn new(read_models: &ReadModels, store: &EventStore, model: &'static ReadModel) -> Self {
        let writer = BatchWriter::new(read_models, store, model, model.table.to_owned());
        Self {
            read_models: read_models.clone(),
            writer,
            is_placed: false,
            has_caught_up: false,
            rests_before: None,
        }
    }

    async fn run(mut self, mut wakeups: watch::Receiver<u64>, mut stop: watch::Receiver<bool>) {
        let mut pause = POLL_INTERVAL;
        while !*stop.borrow_and_update() {
            // Whatever is appended from here on wakes it again.
            wakeups.mark_unchanged();
            let pace = Pace::begin(REST_SHARE, REST_MAX);
            let is_well = match self.follow(&stop).await {
                Ok(Followed::Nothing) => {
                    self.beat();
                    true
                }
                Ok(Followed::Events) => {
                    self.beat();
                    pace.rest(&mut stop).await;
                    true
                }
                Ok(Followed::Ahead(ahead)) => {
                    pause = RETRY_INTERVAL_MAX;
                    self.rest_before(ahead);
                    false
                }
                Err(error) => {
                    self.is_placed = false;
                    let read_model = self.writer.model.name;
                    tracing::error!(%error, read_model, "projection failed");
                    if let Some(pulse) = self.read_models.progress.pulse(read_model) {
                        pulse.fail(error);
                    }
                    false
                }
            };
            pause = match self.writer.unsettled_since() {
                _ if !is_well => RETRY_INTERVAL_MAX.min(pause * 2),
                Some(_) => UNSETTLED_FOR,
                None => POLL_INTERVAL,
            };
            let woken = async {
                tokio::select! {
                    Ok(()) = stop.changed() => {}
                    Ok(()) = wakeups.changed(), if is_well => {}
                    else => std::future::pending().await,
                }
            };
            // A pause that runs out is a poll.
            let _ = time::timeout(pause, woken).await;
        }
        if let Err(error) = self.settle().await {
            tracing::warn!(%error, read_model = self.writer.model.name, "the checkpoint is left behind");
        }
    }

    /// Says before which event it rests; only a newer binary takes that in.
    fn rest_before(&mut self, ahead: EventAhead) {
        let read_model = self.writer.model.name;
        if self.rests_before != Some(ahead.position) {
            self.rests_before = Some(ahead.position);
            let EventAhead { position, event_type, event_version, .. } = &ahead;
            tracing::error!(
                read_model,
                position,
                event_type,
                event_version,
                "the projection RESTS until this process is upgraded: {ahead}"
            );
        }
        if let Some(pulse) = self.read_models.progress.pulse(read_model) {
            pulse.fail(ahead);
        }
    }

    /// Projects to the end of the log, where the checkpoint follows in a moment, or to an event that is newer than this binary.
    async fn follow(&mut self, stop: &watch::Receiver<bool>) -> Result<Followed, DatabaseError> {
        let followed = match self.advance(stop).await? {
            Rest::Ahead(ahead) => return Ok(Followed::Ahead(ahead)),
            Rest::AtEnd { events: 1.. } => Followed::Events,
            Rest::AtEnd { events: 0 } | Rest::Stopped { .. } => Followed::Nothing,
        };
        let unsettled_for = self.writer.unsettled_since().map(|since| since.elapsed());
        if unsettled_for.is_some_and(|elapsed| elapsed >= UNSETTLED_FOR) {
            self.settle().await?;
        }
        Ok(followed)
    }

    async fn settle(&mut self) -> Result<(), DatabaseError> {
        if !self.writer.settle().await? {
            self.is_placed = false;
        }
        Ok(())
    }

    /// Projects to the end of the log, or until `stop`.
    async fn advance(&mut self, stop: &watch::Receiver<bool>) -> Result<Rest, DatabaseError> {
        let mut events = 0;
        while !*stop.borrow() {
            if !self.is_placed
                && let Some(rest) = self.place().await?
            {
                return Ok(rest);
            }
            match self.writer.step().await? {
                Step::Advanced { events: more, has_more } => {
                    events += u64::try_from(more).unwrap_or_default();
                    self.tell();
                    if !has_more {
                        break;
                    }
                }
                Step::AtEnd => break,
                Step::Elsewhere => self.is_placed = false,
                Step::Stopped { position } => {
                    self.is_placed = false;
                    self.tell();
                    return Ok(Rest::Stopped { position });
                }
                Step::Ahead(ahead) => {
                    // A newer binary may move the checkpoint meanwhile.
                    self.is_placed = false;
                    return Ok(Rest::Ahead(ahead));
                }
            }
        }
        if !self.has_caught_up && !*stop.borrow() {
            tables::note_caught_up(&self.read_models.database, self.writer.model).await?;
            self.has_caught_up = true;
        }
        Ok(Rest::AtEnd { events })
    }

    /// Seeks to the checkpoint, making the table if it is new; a stopped projection rests.
    async fn place(&mut self) -> Result<Option<Rest>, DatabaseError> {
        let BatchWriter { model, table, .. } = &self.writer;
        let database = &self.read_models.database;
        let Some(checkpoint) = checkpoints::load(database, table).await? else {
            tables::ensure(database, model, table).await?;
            return Box::pin(self.place()).await;
        };
        self.writer.seek(checkpoint.position);
        self.has_caught_up = checkpoint.has_caught_up;
        self.tell();
        if checkpoint.is_stopped {
            return Ok(Some(Rest::Stopped { position: checkpoint.position }));
        }
        self.is_placed = true;
        Ok(None)
    }

    /// Notifies the waiters of this process.
    fn tell(&self) {
        self.read_models.progress.advance(self.writer.model.name, self.writer.position());
        self.beat();
    }

    /// Notes that it is alive.
    fn beat(&self) {
        if let Some(pulse) = self.read_models.progress.pulse(self.writer.model.name) {
            pulse.beat();
        }
    }
}
