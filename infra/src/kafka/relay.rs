//! The relay: follows the log into the topics, in order, as the one leader of its role.
//!
//! It sends ahead of what has arrived, and its checkpoint covers only what has arrived without a hole. Whatever breaks, it
//! begins again after the checkpoint: messages may come twice, none is lost, and the first ones of a key are in order.

use std::{
    collections::BTreeSet,
    ops::{ControlFlow, RangeInclusive},
    time::Duration,
};

use domain::event::RecordedEvent;
use tokio::{sync::watch, time};

use super::{
    deliveries::{Failure, Progress},
    error::KafkaError,
    options::KafkaOptions,
    sender::{Refusal, Sender},
    topics,
};
use crate::postgres::{
    DatabaseError, EventStore,
    leaders::{Candidate, Leadership},
    relays::{RelayStatus, Relays},
};

const BATCH: i64 = 2_000;
/// Events that are handed over before others may have the thread.
const STRIDE: usize = 100;
const CHECKPOINT_EVERY: Duration = Duration::from_millis(100);
/// How often a stopped relay looks whether it may go on.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Brokers that take nothing for so long are worth a line in the log.
const SILENCE: Duration = Duration::from_secs(5);
const PAUSE_MIN: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// How long an orderly end waits for what is in flight.
const END_BOUND: Duration = Duration::from_millis(1_500);

/// The relay of this process; clones share what is known of it.
#[derive(Clone)]
pub struct Relay {
    store: EventStore,
    relays: Relays,
    options: KafkaOptions,
    creates_topics: bool,
    state: watch::Sender<RelayState>,
}

/// What the relay of this process does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayState {
    /// Another process leads, or none does yet.
    Standby,
    /// It follows the log.
    Following,
    /// The brokers or the database are away; it tries again.
    Waiting { reason: String },
    /// It stands before an event that cannot be sent, until that one is skipped.
    Stopped { position: i64, reason: String },
}

/// Why a session ended.
enum End {
    /// It was asked to.
    Stopping,
    /// Another process leads now.
    RoleLost,
    /// Worth another try.
    Broken(String),
    /// Messages were refused together: one of them may be at fault, or only their batch.
    Suspect { positions: RangeInclusive<i64> },
    /// An event that cannot be sent; everything before it has arrived.
    Unsendable { position: i64, reason: String },
}

impl From<DatabaseError> for End {
    fn from(error: DatabaseError) -> Self {
        Self::Broken(error.to_string())
    }
}

impl From<KafkaError> for End {
    fn from(error: KafkaError) -> Self {
        Self::Broken(error.to_string())
    }
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        match failure.is_of_the_message {
            true => Self::Suspect { positions: failure.position..=failure.until },
            false => Self::Broken(failure.reason),
        }
    }
}

/// One producer's time.
struct Session<'a> {
    relay: &'a Relay,
    leader: &'a Leadership,
    sender: Sender,
    skips: BTreeSet<i64>,
    /// These are sent one at a time, so that a refusal is the message's own.
    suspects: Option<RangeInclusive<i64>>,
}

impl Relay {
    /// Creates the relay from this log to those brokers. It creates the topics if `creates_topics`; otherwise it waits for them.
    #[must_use]
    pub fn new(store: EventStore, options: KafkaOptions, creates_topics: bool) -> Self {
        let relays = Relays::new(store.database().clone(), options.topic_prefix.clone());
        let state = watch::Sender::new(RelayState::Standby);
        Self { store, relays, options, creates_topics, state }
    }

    /// What it does now.
    #[must_use]
    pub fn state(&self) -> RelayState {
        self.state.borrow().clone()
    }

    /// How far the relay is, whichever process leads it.
    ///
    /// # Errors
    /// The database.
    pub async fn status(&self) -> Result<RelayStatus, DatabaseError> {
        self.relays.status().await
    }

    /// Relays whenever this process leads the role, until `stop` is true.
    pub async fn run(self, candidate: Candidate, stop: watch::Receiver<bool>) {
        let work = |leader| {
            let (relay, stop) = (self.clone(), stop.clone());
            async move { relay.relay(&leader, stop).await }
        };
        candidate.lead(stop.clone(), work).await;
    }

    async fn relay(&self, leader: &Leadership, mut stop: watch::Receiver<bool>) {
        // Whatever ends this, a lost role included, which drops it.
        let _standby = StandbyAfter(&self.state);
        let mut suspects = None;
        let mut pause = PAUSE_MIN;
        loop {
            let before = self.state();
            match self.session(leader, &mut stop, suspects.clone()).await {
                End::Stopping | End::RoleLost => return,
                End::Suspect { positions } => suspects = Some(positions),
                End::Unsendable { position, reason } => {
                    if self.stand(leader, &mut stop, position, reason).await.is_break() {
                        return;
                    }
                }
                End::Broken(reason) => {
                    let waiting = RelayState::Waiting { reason: reason.clone() };
                    if before != waiting {
                        tracing::warn!(reason, "the relay is interrupted and tries again");
                    }
                    let has_moved = self.state.send_replace(waiting) == RelayState::Following;
                    pause = if has_moved { PAUSE_MIN } else { PAUSE_MAX.min(pause * 2) };
                    let stopped = stop.wait_for(|stop| *stop);
                    if time::timeout(pause, stopped).await.is_ok() {
                        return;
                    }
                }
            }
        }
    }

    /// Follows the log with one producer, from the checkpoint to whatever ends it.
    async fn session(
        &self,
        leader: &Leadership,
        stop: &mut watch::Receiver<bool>,
        suspects: Option<RangeInclusive<i64>>,
    ) -> End {
        let session = match self.open(leader, suspects).await {
            Ok(session) => session,
            Err(end) => return end,
        };
        let end = tokio::select! {
            end = session.follow() => end,
            end = session.keep() => end,
            _ = stop.wait_for(|stop| *stop) => End::Stopping,
        };
        match end {
            End::RoleLost | End::Broken(_) => end,
            End::Stopping => {
                if time::timeout(END_BOUND, session.drain()).await.is_err() {
                    tracing::info!("the relay ends with messages in flight; they are sent again");
                }
                session.save(&session.progress()).await.err().unwrap_or(end)
            }
            End::Suspect { .. } | End::Unsendable { .. } => {
                session.save(&session.progress()).await.err().unwrap_or(end)
            }
        }
    }

    async fn open<'a>(
        &'a self,
        leader: &'a Leadership,
        suspects: Option<RangeInclusive<i64>>,
    ) -> Result<Session<'a>, End> {
        if self.creates_topics {
            topics::create_topics(&self.options).await?;
        }
        let position = self.relays.position().await?;
        let skips = self.relays.skips_after(position).await?;
        let sender = Sender::connect(&self.options, position, suspects.is_some())?;
        Ok(Session { relay: self, leader, sender, skips, suspects })
    }

    /// Stands before an event that cannot be sent until it is skipped; `Break` when there is nothing more to do.
    async fn stand(
        &self,
        leader: &Leadership,
        stop: &mut watch::Receiver<bool>,
        position: i64,
        reason: String,
    ) -> ControlFlow<()> {
        tracing::error!(
            position,
            reason,
            "the relay has STOPPED before an event that cannot be sent; \
             `backtrail relay skip {position} --reason TEXT` leaves it out"
        );
        self.state.send_replace(RelayState::Stopped { position, reason: reason.clone() });
        let mut is_noted = false;
        loop {
            let looked = async {
                if !is_noted && !self.relays.stop(leader, position, &reason).await? {
                    return Ok(ControlFlow::Break(()));
                }
                is_noted = true;
                let skips = self.relays.skips_after(position - 1).await?;
                let is_skipped = skips.contains(&position);
                Ok::<_, DatabaseError>(ControlFlow::Continue(is_skipped))
            };
            match looked.await {
                Ok(ControlFlow::Continue(true)) => {
                    tracing::warn!(position, "the relay continues without an event");
                    return ControlFlow::Continue(());
                }
                Ok(ControlFlow::Continue(false)) => {}
                Ok(ControlFlow::Break(())) => return ControlFlow::Break(()),
                Err(error) => tracing::warn!(%error, "the stopped relay cannot look for a skip"),
            }
            if time::timeout(LOOK_EVERY, stop.wait_for(|stop| *stop)).await.is_ok() {
                return ControlFlow::Break(());
            }
        }
    }
}

impl Session<'_> {
    fn progress(&self) -> Progress {
        self.sender.progress().borrow().clone()
    }

    fn is_suspect(&self, position: i64) -> bool {
        self.suspects.as_ref().is_some_and(|positions| positions.contains(&position))
    }

    /// Sends the log as it grows.
    async fn follow(&self) -> End {
        let mut wakeups = self.relay.store.wakeups();
        let mut position = self.progress().done;
        loop {
            wakeups.borrow_and_update();
            let events = match self.relay.store.read_after(position, BATCH).await {
                Ok(events) => events,
                Err(error) => return error.into(),
            };
            // A process that slept does not speak for the role that it had.
            if !self.leader.is_held() {
                return End::RoleLost;
            }
            for (count, event) in events.iter().enumerate() {
                if let Err(end) = self.send(event).await {
                    return end;
                }
                if count % STRIDE == STRIDE - 1 {
                    tokio::task::yield_now().await;
                }
            }
            self.relay.state.send_if_modified(|state| {
                let is_new = *state != RelayState::Following;
                *state = RelayState::Following;
                is_new
            });
            match events.last() {
                Some(last) => position = last.position,
                None if wakeups.changed().await.is_err() => {
                    return End::Broken("the event store has ended".to_owned());
                }
                None => {}
            }
        }
    }

    /// Hands one event over, waiting for room.
    async fn send(&self, event: &RecordedEvent) -> Result<(), End> {
        let position = event.position;
        if self.skips.contains(&position) {
            self.sender.pass(position);
            return Ok(());
        }
        let is_suspect = self.is_suspect(position);
        if is_suspect {
            self.drain().await;
        }
        loop {
            let done = self.progress().done;
            match self.sender.send(event) {
                Ok(()) if is_suspect => return self.settle(position).await,
                Ok(()) => return Ok(()),
                Err(Refusal::Full) => self.room(done).await?,
                Err(Refusal::Event(reason)) => {
                    self.drain().await;
                    let failure = self.progress().failure;
                    return Err(failure.map_or(End::Unsendable { position, reason }, End::from));
                }
                Err(Refusal::Broken(reason)) => return Err(End::Broken(reason)),
            }
        }
    }

    /// Waits until more has arrived than up to `done`.
    async fn room(&self, done: i64) -> Result<(), End> {
        let mut progress = self.sender.progress();
        let is_room = |now: &Progress| now.done > done || now.failure.is_some();
        let failure = match progress.wait_for(is_room).await {
            Ok(now) => now.failure.clone(),
            Err(_) => return Err(End::Broken("the producer has ended".to_owned())),
        };
        failure.map_or(Ok(()), |failure| Err(failure.into()))
    }

    /// Waits until the one message in flight has arrived or failed.
    async fn settle(&self, position: i64) -> Result<(), End> {
        self.drain().await;
        match self.progress().failure {
            None => Ok(()),
            Some(failure) if failure.is_of_the_message => {
                Err(End::Unsendable { position, reason: failure.reason })
            }
            Some(failure) => Err(End::Broken(failure.reason)),
        }
    }

    /// Waits until nothing is in flight, or something failed.
    async fn drain(&self) {
        let is_settled =
            |progress: &Progress| progress.in_flight == 0 || progress.failure.is_some();
        // The sender is ours: it does not end meanwhile.
        let _ = self.sender.progress().wait_for(is_settled).await;
    }

    /// Writes checkpoints as messages arrive, and notices when none does.
    async fn keep(&self) -> End {
        let mut progress = self.sender.progress();
        let mut saved = self.progress().done;
        let mut is_silent = false;
        loop {
            let news = progress.wait_for(|now| now.done > saved || now.failure.is_some());
            let now = match time::timeout(SILENCE, news).await {
                Ok(Ok(now)) => now.clone(),
                Ok(Err(_)) => return End::Broken("the producer has ended".to_owned()),
                Err(_) => {
                    let in_flight = self.progress().in_flight;
                    if in_flight > 0 && !is_silent {
                        is_silent = true;
                        tracing::warn!(in_flight, position = saved, "the brokers take no events");
                    }
                    continue;
                }
            };
            if is_silent {
                is_silent = false;
                tracing::info!(position = now.done, "the brokers take events again");
            }
            if now.done > saved {
                if let Err(end) = self.save(&now).await {
                    return end;
                }
                saved = now.done;
            }
            // While one message is sent at a time, its sender judges the failure.
            if let Some(failure) = now.failure
                && !self.is_suspect(failure.position)
            {
                return failure.into();
            }
            time::sleep(CHECKPOINT_EVERY).await;
        }
    }

    async fn save(&self, progress: &Progress) -> Result<(), End> {
        match self.relay.relays.advance(self.leader, progress.done).await? {
            true => Ok(()),
            false => Err(End::RoleLost),
        }
    }
}

/// Says at the end of a term, however it ends, that this process leads no more.
struct StandbyAfter<'a>(&'a watch::Sender<RelayState>);

impl Drop for StandbyAfter<'_> {
    fn drop(&mut self) {
        self.0.send_replace(RelayState::Standby);
    }
}
