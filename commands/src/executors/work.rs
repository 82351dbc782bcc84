//! Where requested runs come from: the log itself, or the topic that the relay fills from it.

use std::sync::Arc;

use infra::{
    kafka::{KafkaOptions, consumer::RunConsumer},
    postgres::{Database, DatabaseError, run_queue::RunQueue},
};
use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
};

/// The follower's name in the queue: every executor follows the log under the same one.
const FOLLOWER: &str = "log";

/// Who fills the run queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkSource {
    /// The executors, from the log.
    Log,
    /// The executors as a consumer group; `creates_topics`, or waits until somebody has.
    Kafka { options: KafkaOptions, creates_topics: bool },
}

/// The source at work in this process.
pub(super) enum Work {
    Log,
    /// The consumer has a task of its own: it never waits for a run, nor a run for it.
    Kafka {
        queued: Arc<Notify>,
        consumer: JoinHandle<()>,
    },
}

/// What a look at the source found.
pub(super) struct Found {
    pub(super) has_waiting: bool,
    /// There is more to look at at once.
    pub(super) is_behind: bool,
}

impl Work {
    pub(super) fn start(
        source: &WorkSource,
        database: &Database,
        stop: &watch::Receiver<bool>,
    ) -> Self {
        match source {
            WorkSource::Log => Self::Log,
            WorkSource::Kafka { options, creates_topics } => {
                let queued = Arc::new(Notify::new());
                let (options, database) = (options.clone(), database.clone());
                let consumer =
                    RunConsumer::new(options, *creates_topics, database, Arc::clone(&queued));
                Self::Kafka { queued, consumer: tokio::spawn(consumer.run(stop.clone())) }
            }
        }
    }

    /// Queues what the log requested, where that is the source, and looks whether anything waits.
    pub(super) async fn look(&self, queue: &RunQueue) -> Result<Found, DatabaseError> {
        match self {
            Self::Log => {
                let followed = queue.follow(FOLLOWER).await?;
                Ok(Found { has_waiting: followed.has_waiting, is_behind: followed.is_behind })
            }
            Self::Kafka { .. } => {
                Ok(Found { has_waiting: queue.has_waiting().await?, is_behind: false })
            }
        }
    }

    /// Returns when the consumer of this process has queued something.
    pub(super) async fn queued(&self) {
        match self {
            Self::Log => std::future::pending().await,
            Self::Kafka { queued, .. } => queued.notified().await,
        }
    }

    /// Waits for the consumer's end, which `stop` has asked for.
    pub(super) async fn end(self) {
        if let Self::Kafka { consumer, .. } = self
            && let Err(error) = consumer.await
        {
            tracing::error!(%error, "the consumer of requested runs ended otherwise than it should");
        }
    }
}
