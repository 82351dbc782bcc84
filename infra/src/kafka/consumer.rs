//! The executors' consumer: requested runs from the topic of backtests into the run queue.
//!
//! A message is let go as soon as its row is durable, so no run, however long, ever holds one. What cannot be understood goes
//! to the dead-letter topic and to the dead letters, and the consumer goes on.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use cqrs_es::Aggregate;
use domain::{
    backtest::{Backtest, BacktestEvent},
    ids::BacktestId,
};
use futures_util::FutureExt;
use metrics::counter;
use rdkafka::{
    Offset, TopicPartitionList,
    config::FromClientConfigAndContext,
    consumer::{Consumer, StreamConsumer},
    error::KafkaError as Error,
    message::{BorrowedMessage, Message, OwnedMessage},
};
use tokio::{
    sync::{Notify, watch},
    time,
};

use super::{KafkaError, KafkaOptions, cloud_event, context::Quiet, topics};
use crate::{
    postgres::{
        Database,
        run_queue::{Requested, RunQueue},
    },
    process, telemetry,
};

mod dead_letter;

use dead_letter::DeadLetters;

/// Messages that go into the queue together.
const BATCH: usize = 500;
const PAUSE: Duration = Duration::from_millis(500);
/// How long leaving the group may take.
const LEAVE_BOUND: Duration = Duration::from_millis(1_500);

/// Feeds the run queue of one installation.
pub struct RunConsumer {
    options: KafkaOptions,
    creates_topics: bool,
    database: Database,
    queue: RunQueue,
    queued: Arc<Notify>,
}

/// What a message means here.
enum Meaning {
    Requested(Requested),
    /// An event that asks for no run.
    Other,
    /// It makes no sense, for this reason.
    Poison(String),
}

/// Messages that are taken in together.
#[derive(Default)]
struct Batch {
    requested: Vec<Requested>,
    poison: Vec<(OwnedMessage, String)>,
    /// The last offset of each partition.
    offsets: BTreeMap<i32, i64>,
    count: usize,
}

impl RunConsumer {
    /// Of the brokers' topic into the queue of `database`; `queued` hears of new rows. `creates_topics`, or waits until
    /// somebody has.
    #[must_use]
    pub fn new(
        options: KafkaOptions,
        creates_topics: bool,
        database: Database,
        queued: Arc<Notify>,
    ) -> Self {
        let queue = RunQueue::new(database.clone());
        Self { options, creates_topics, database, queue, queued }
    }

    /// Runs until `stop` is true, however long the brokers or the database are away.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut told = String::new();
        while !*stop.borrow_and_update() {
            let reason = match self.session(&mut stop).await {
                Ok(()) => return,
                Err(error) => error.to_string(),
            };
            if reason != told {
                tracing::warn!(reason, "requested runs cannot be consumed and are tried again");
                told = reason;
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
        let mut dead_letters = DeadLetters::new(&self.options, &self.database);
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
                    if self.take_in(&batch, &mut dead_letters, stop).await {
                        let_go(&consumer, &self.options.topic(Backtest::TYPE), &batch.offsets);
                    } else {
                        break;
                    }
                }
                Err(error) => {
                    if let Some((code, reason)) = consumer.client().fatal_error() {
                        return Err(KafkaError::Unavailable(format!("{code}: {reason}")));
                    }
                    // One error is one event: brokers that were away for long left many of them in the queue.
                    if !is_told {
                        tracing::warn!(%error, "requested runs are not received for now");
                        is_told = true;
                    }
                }
            }
        }
        leave(consumer).await;
        Ok(())
    }

    fn join(&self) -> Result<StreamConsumer<Quiet>, KafkaError> {
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
        let consumer: StreamConsumer<Quiet> =
            StreamConsumer::from_config_and_context(&config, Quiet).map_err(settings)?;
        let topic = self.options.topic(Backtest::TYPE);
        consumer.subscribe(&[&topic]).map_err(settings)?;
        Ok(consumer)
    }

    /// Makes everything durable, however often that has to be tried; false when it was stopped before.
    async fn take_in(
        &self,
        batch: &Batch,
        dead_letters: &mut DeadLetters<'_>,
        stop: &mut watch::Receiver<bool>,
    ) -> bool {
        let mut told = String::new();
        loop {
            let taken = async {
                for (message, reason) in &batch.poison {
                    dead_letters.bury(message, reason).await?;
                }
                match batch.requested.is_empty() {
                    true => Ok(0),
                    false => Ok(self.queue.add(&batch.requested).await?),
                }
            };
            let error: dead_letter::BuryError = match taken.await {
                Ok(added) => {
                    let brought = u64::try_from(batch.requested.len()).unwrap_or(u64::MAX);
                    counter!(telemetry::DUPLICATES_DROPPED)
                        .increment(brought.saturating_sub(added));
                    if added > 0 {
                        self.queued.notify_one();
                    }
                    return true;
                }
                Err(error) => error,
            };
            if error.to_string() != told {
                told = error.to_string();
                tracing::warn!(%error, "received messages cannot be taken in and are tried again");
            }
            pause(stop).await;
            if *stop.borrow() {
                return false;
            }
        }
    }
}

/// What is there already, up to a batch.
fn collect(consumer: &StreamConsumer<Quiet>, first: &BorrowedMessage<'_>) -> Batch {
    let mut batch = Batch::default();
    batch.note(first);
    while batch.count < BATCH {
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
            Meaning::Requested(requested) => self.requested.push(requested),
            Meaning::Other => {}
            Meaning::Poison(reason) => self.poison.push((message.detach(), reason)),
        }
        self.offsets.insert(message.partition(), message.offset());
        self.count += 1;
    }
}

fn meaning(message: &impl Message) -> Meaning {
    let event = match cloud_event::recorded(message) {
        Ok(event) => event,
        Err(malformed) => return Meaning::Poison(malformed.to_string()),
    };
    if event.aggregate_type != Backtest::TYPE {
        return Meaning::Poison(format!(
            "an event of the aggregate type `{}`",
            event.aggregate_type
        ));
    }
    // Versions to come may have other events: they ask for no run that this one could do.
    if event.event_type != "BacktestRequested" {
        return Meaning::Other;
    }
    let backtest_id: BacktestId = match event.aggregate_id.parse() {
        Ok(id) => id,
        Err(error) => return Meaning::Poison(format!("the header `ce_subject`: {error}")),
    };
    match event.decode() {
        Ok(BacktestEvent::BacktestRequested { request }) => Meaning::Requested(Requested {
            backtest_id,
            owner_id: request.run.owner_id,
            position: event.position,
        }),
        Ok(other) => Meaning::Poison(format!("the payload is of another event: {other:?}")),
        Err(error) => Meaning::Poison(format!("the payload: {error}")),
    }
}

/// Lets go of what is durable. Partitions that went to another member meanwhile are read again there, which does no harm.
fn let_go(consumer: &StreamConsumer<Quiet>, topic: &str, offsets: &BTreeMap<i32, i64>) {
    let mut list = TopicPartitionList::new();
    for (partition, offset) in offsets {
        if let Err(error) = list.add_partition_offset(topic, *partition, Offset::Offset(offset + 1))
        {
            tracing::warn!(%error, partition, offset, "an offset is not let go");
        }
    }
    if let Err(error) = consumer.store_offsets(&list) {
        tracing::debug!(%error, "offsets are not let go");
    }
}

/// Leaves the group, so that the others need not wait until this member is missed.
async fn leave(consumer: StreamConsumer<Quiet>) {
    let left = tokio::task::spawn_blocking(move || drop(consumer));
    if time::timeout(LEAVE_BOUND, left).await.is_err() {
        tracing::info!("the consumer group will miss this member after a while");
    }
}

async fn pause(stop: &mut watch::Receiver<bool>) {
    // Either ends it.
    let _ = time::timeout(PAUSE, process::stopped(stop)).await;
}
