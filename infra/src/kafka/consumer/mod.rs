//! The executors' consumer: jobs that events ask for, from the topics of their aggregates into the queue of jobs.
//!
//! Offsets are stored as soon as the jobs are durable, so a long job never blocks a partition. A message that cannot be
//! understood goes to the dead-letter topic and to the dead letters, and the consumer continues. Before a request that a newer
//! binary wrote it rests: it leaves the group, so that members of that version take over the partition.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use domain::{aggregates::EventAhead, ids::UserId};
use futures_util::FutureExt;
use metrics::counter;
use rdkafka::{
    Offset, TopicPartitionList,
    config::FromClientConfigAndContext,
    consumer::{Consumer, StreamConsumer},
    error::KafkaError as Error,
    message::{BorrowedMessage, Message, OwnedMessage},
};
use serde::Deserialize;
use tokio::{
    sync::{Notify, watch},
    time,
};

use super::{cloud_event, context::LogContext, error::KafkaError, options::KafkaOptions, topics};
use crate::{
    postgres::{
        EventStore,
        jobs::{JobKind, JobQueue, KINDS, NewJob},
    },
    process, telemetry,
};

mod dead_letter;

use dead_letter::{DeadLetterError, DeadLetters};

/// Messages that go into the queue together.
const BATCH: usize = 500;
const PAUSE: Duration = Duration::from_millis(500);
/// How long leaving the group may take.
const LEAVE_BOUND: Duration = Duration::from_millis(1_500);

/// Feeds the queue of jobs of one installation.
pub struct JobConsumer {
    pub options: KafkaOptions,
    /// Else it waits until another process has created them.
    pub creates_topics: bool,
    pub store: EventStore,
    pub queue: JobQueue,
    /// Notified of new jobs.
    pub queued: Arc<Notify>,
}

/// What a message means here.
enum Meaning {
    Requested(JobKind, NewJob),
    /// An event that asks for no job.
    Other,
    /// A newer binary asked for the job.
    Ahead(EventAhead),
    /// It makes no sense, for this reason.
    Poison(String),
}

/// Messages that are ingested together.
#[derive(Default)]
struct Batch {
    /// By the kind's name.
    requested: BTreeMap<&'static str, (JobKind, Vec<NewJob>)>,
    poison: Vec<(OwnedMessage, String)>,
    /// The request before which the consumer rests, after what came before it.
    ahead: Option<EventAhead>,
    /// The last offset of each topic's partitions.
    offsets: BTreeMap<(String, i32), i64>,
    count: usize,
}

/// What all events that ask for a job say.
#[derive(Deserialize)]
struct Requested {
    request: Owned,
}

#[derive(Deserialize)]
struct Owned {
    owner_id: UserId,
}

impl JobConsumer {
    /// Runs until `stop` is true, however long the brokers or the database are away.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut reported = String::new();
        while !*stop.borrow_and_update() {
            let reason = match self.session(&mut stop).await {
                Ok(()) => return,
                Err(error) => error.to_string(),
            };
            if reason != reported {
                tracing::warn!(reason, "jobs cannot be consumed from Kafka and are tried again");
                reported = reason;
            }
            pause(&mut stop).await;
        }
    }

    /// One membership of the group; ends well when it was stopped.
    async fn session(&self, stop: &mut watch::Receiver<bool>) -> Result<(), KafkaError> {
        if self.creates_topics {
            topics::create_topics(&self.options).await?;
        }
        let consumer = self.join()?;
        let mut dead_letters = DeadLetters::new(&self.options, self.store.database());
        let mut is_told = false;
        loop {
            let received = tokio::select! {
                received = consumer.recv() => received,
                () = process::stopped(stop) => break,
            };
            match received {
                Ok(message) => {
                    is_told = false;
                    let batch = collect(&consumer, &message);
                    drop(message);
                    if !self.ingest(&batch, &mut dead_letters, stop).await {
                        break;
                    }
                    store_offsets(&consumer, &batch.offsets);
                    if let Some(ahead) = &batch.ahead {
                        self.store.note_ahead(ahead);
                        leave(consumer).await;
                        process::stopped(stop).await;
                        return Ok(());
                    }
                }
                Err(error) => {
                    if let Some((code, reason)) = consumer.client().fatal_error() {
                        return Err(KafkaError::Unavailable(format!("{code}: {reason}")));
                    }
                    // One error is one event: brokers that were away for long left many of them in the queue.
                    if !is_told {
                        tracing::warn!(%error, "jobs are not received from Kafka for now");
                        is_told = true;
                    }
                }
            }
        }
        leave(consumer).await;
        Ok(())
    }

    fn join(&self) -> Result<StreamConsumer<LogContext>, KafkaError> {
        let settings = |error: Error| KafkaError::Settings(error.to_string());
        let mut config = self.options.client();
        config
            .set("group.id", self.options.executors_group())
            .set("group.protocol", "classic")
            .set("partition.assignment.strategy", "cooperative-sticky")
            // A killed process gives its partitions to the others after this.
            .set("session.timeout.ms", "6000")
            .set("heartbeat.interval.ms", "1500")
            .set("auto.offset.reset", "earliest")
            // What was stored is committed soon, and again where a commit is lost to a rebalance.
            .set("enable.auto.commit", "true")
            .set("auto.commit.interval.ms", "200")
            .set("enable.auto.offset.store", "false")
            .set("fetch.wait.max.ms", "100")
            // A topic that is created later is found after this.
            .set("topic.metadata.refresh.interval.ms", "10000");
        let consumer: StreamConsumer<LogContext> =
            StreamConsumer::from_config_and_context(&config, LogContext).map_err(settings)?;
        let asking = KINDS.iter().filter(|kind| kind.requested.is_some());
        let topics: Vec<_> = asking.map(|kind| self.options.topic(kind.name)).collect();
        let topics: Vec<_> = topics.iter().map(String::as_str).collect();
        consumer.subscribe(&topics).map_err(settings)?;
        Ok(consumer)
    }

    /// Makes everything durable, however often that has to be tried; false if it was stopped before.
    async fn ingest(
        &self,
        batch: &Batch,
        dead_letters: &mut DeadLetters<'_>,
        stop: &mut watch::Receiver<bool>,
    ) -> bool {
        let mut reported = String::new();
        while let Err(error) = self.try_to_ingest(batch, dead_letters).await {
            if error.to_string() != reported {
                reported = error.to_string();
                tracing::warn!(%error, "received messages cannot be ingested and are tried again");
            }
            pause(stop).await;
            if *stop.borrow() {
                return false;
            }
        }
        true
    }

    async fn try_to_ingest(
        &self,
        batch: &Batch,
        dead_letters: &mut DeadLetters<'_>,
    ) -> Result<(), DeadLetterError> {
        for (message, reason) in &batch.poison {
            dead_letters.dead_letter(message, reason).await?;
        }
        for (kind, jobs) in batch.requested.values() {
            let added = self.queue.add(kind, jobs).await?;
            let brought = u64::try_from(jobs.len()).unwrap_or(u64::MAX);
            counter!(telemetry::DUPLICATES_DROPPED, "kind" => kind.name)
                .increment(brought.saturating_sub(added));
            if added > 0 {
                self.queued.notify_one();
            }
        }
        Ok(())
    }
}

/// What is there already, up to a batch.
fn collect(consumer: &StreamConsumer<LogContext>, first: &BorrowedMessage<'_>) -> Batch {
    let mut batch = Batch::default();
    batch.note(first);
    while batch.count < BATCH && batch.ahead.is_none() {
        match consumer.recv().now_or_never() {
            Some(Ok(message)) => batch.note(&message),
            // An error comes again with the next call.
            Some(Err(_)) | None => break,
        }
    }
    batch
}

impl Batch {
    fn note(&mut self, message: &BorrowedMessage<'_>) {
        match meaning(message) {
            Meaning::Requested(kind, job) => {
                self.requested.entry(kind.name).or_insert((kind, Vec::new())).1.push(job);
            }
            Meaning::Ahead(ahead) => {
                // Its offset, and so those after it in its partition, are not stored.
                self.ahead = Some(ahead);
                return;
            }
            Meaning::Other => {}
            Meaning::Poison(reason) => self.poison.push((message.detach(), reason)),
        }
        let partition = (message.topic().to_owned(), message.partition());
        self.offsets.insert(partition, message.offset());
        self.count += 1;
    }
}

fn meaning(message: &impl Message) -> Meaning {
    let event = match cloud_event::recorded(message) {
        Ok(event) => event,
        Err(malformed) => return Meaning::Poison(malformed.to_string()),
    };
    let Some(kind) = KINDS.iter().find(|kind| kind.name == event.aggregate_type) else {
        let reason = format!("an event of the aggregate type `{}`", event.aggregate_type);
        return Meaning::Poison(reason);
    };
    // Versions to come may have other events: they ask for no job that this one could do.
    if kind.requested != Some(event.event_type.as_str()) {
        return Meaning::Other;
    }
    if let Some(ahead) = event.ahead() {
        return Meaning::Ahead(ahead);
    }
    let id = match event.aggregate_id.parse() {
        Ok(id) => id,
        Err(error) => return Meaning::Poison(format!("the header `ce_subject`: {error}")),
    };
    match serde_json::from_str(&event.payload) {
        Ok(Requested { request: Owned { owner_id } }) => {
            let (position, ready_at) = (Some(event.position), event.recorded_at);
            Meaning::Requested(*kind, NewJob { id, owner_id, position, ready_at })
        }
        Err(error) => Meaning::Poison(format!("the payload: {error}")),
    }
}

/// Stores the offsets of what is durable. Partitions that went to another member meanwhile are read again there, which does no
/// harm.
fn store_offsets(consumer: &StreamConsumer<LogContext>, offsets: &BTreeMap<(String, i32), i64>) {
    let mut list = TopicPartitionList::new();
    for ((topic, partition), offset) in offsets {
        if let Err(error) = list.add_partition_offset(topic, *partition, Offset::Offset(offset + 1))
        {
            tracing::warn!(%error, topic, partition, offset, "an offset is not stored");
        }
    }
    if let Err(error) = consumer.store_offsets(&list) {
        tracing::debug!(%error, "offsets are not stored");
    }
}

/// Leaves the group, so that the others need not wait until this member is missed.
async fn leave(consumer: StreamConsumer<LogContext>) {
    let left = tokio::task::spawn_blocking(move || drop(consumer));
    if time::timeout(LEAVE_BOUND, left).await.is_err() {
        tracing::info!("the consumer group will miss this member after a while");
    }
}

async fn pause(stop: &mut watch::Receiver<bool>) {
    // Either ends it.
    let _ = time::timeout(PAUSE, process::stopped(stop)).await;
}
