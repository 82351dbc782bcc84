//! An idempotent producer that takes events in the order of the log and reports how far they have arrived.

use std::{collections::BTreeMap, sync::Arc, thread};

use domain::{aggregates::AGGREGATE_TYPES, event::RecordedEvent};
use rdkafka::{
    ClientContext,
    config::{FromClientConfigAndContext, RDKafkaLogLevel},
    error::{KafkaError as Error, RDKafkaErrorCode},
    message::DeliveryResult,
    producer::{BaseRecord, Producer, ProducerContext, PurgeConfig, ThreadedProducer},
};
use tokio::sync::watch;

use super::{
    cloud_event, context,
    deliveries::{Deliveries, Progress},
    error::KafkaError,
    options::KafkaOptions,
};

/// Sent and not yet acknowledged: bounds what is in memory while the brokers are away.
const IN_FLIGHT_MAX: usize = 100_000;
const IN_FLIGHT_KIB_MAX: usize = 65_536;
/// Messages wait so long for company.
const LINGER_MS: &str = "5";
const BATCH_BYTES: usize = 1_000_000;

/// One producer, from one position on.
pub(super) struct Sender {
    /// There until it is dropped.
    producer: Option<ThreadedProducer<Reports>>,
    deliveries: Arc<Deliveries>,
    /// By aggregate type.
    topics: BTreeMap<&'static str, String>,
    prefix: String,
}

/// Why an event was not taken.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Too much is in flight: wait for progress.
    Full,
    /// It can never be sent as it is.
    Event(String),
    /// The producer is of no use any more.
    Broken(String),
}

/// Hears delivery reports, on a thread of librdkafka's.
struct Reports(Arc<Deliveries>);

impl Sender {
    /// For what comes after `position`. Where it matters how soon each message arrives, none waits for company.
    pub(super) fn connect(
        options: &KafkaOptions,
        position: i64,
        is_hasty: bool,
    ) -> Result<Self, KafkaError> {
        let deliveries = Arc::new(Deliveries::after(position));
        let mut config = options.producer();
        config
            // A message that fails takes the producer with it, so that none of its partition overtakes it.
            .set("enable.gapless.guarantee", "true")
            // However long the brokers are away.
            .set("message.timeout.ms", "0")
            .set("message.max.bytes", options.message_bytes_max.to_string())
            .set("batch.size", BATCH_BYTES.min(options.message_bytes_max).to_string())
            .set("linger.ms", if is_hasty { "0" } else { LINGER_MS })
            .set("compression.type", "lz4")
            // The same partition as Java's clients would choose.
            .set("partitioner", "murmur2_random")
            .set("queue.buffering.max.messages", IN_FLIGHT_MAX.to_string())
            .set("queue.buffering.max.kbytes", IN_FLIGHT_KIB_MAX.to_string());
        let reports = Reports(Arc::clone(&deliveries));
        let producer = ThreadedProducer::from_config_and_context(&config, reports)
            .map_err(|error| KafkaError::Settings(error.to_string()))?;
        let topics = AGGREGATE_TYPES.into_iter().map(|name| (name, options.topic(name))).collect();
        let prefix = options.topic_prefix.clone();
        Ok(Self { producer: Some(producer), deliveries, topics, prefix })
    }

    /// How far everything is.
    pub(super) fn progress(&self) -> watch::Receiver<Progress> {
        self.deliveries.progress()
    }

    /// Takes the next event; the call does not wait.
    pub(super) fn send(&self, event: &RecordedEvent) -> Result<(), Refusal> {
        let Some(topic) = self.topics.get(event.aggregate_type.as_str()) else {
            let kind = &event.aggregate_type;
            return Err(Refusal::Event(format!(
                "there is no topic for the aggregate type `{kind}`"
            )));
        };
        let Some(producer) = &self.producer else {
            return Err(Refusal::Broken("the producer has ended".to_owned()));
        };
        let number = self.deliveries.sending(event.position);
        let record = BaseRecord::with_opaque_to(topic, number)
            .key(&event.aggregate_id)
            .payload(&event.payload)
            .timestamp(event.recorded_at.timestamp_millis())
            .headers(cloud_event::headers(event, &self.prefix));
        let Err((error, _)) = producer.send(record) else { return Ok(()) };
        self.deliveries.not_sent();
        Err(match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::QueueFull) => Refusal::Full,
            Some(code) if is_of_the_message(code) => Refusal::Event(describe(code)),
            _ => Refusal::Broken(error.to_string()),
        })
    }

    /// Passes over an event that is not to be sent.
    pub(super) fn pass(&self, position: i64) {
        let number = self.deliveries.sending(position);
        self.deliveries.arrived(number);
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        let Some(producer) = self.producer.take() else { return };
        // A leader that lost its role has nothing more to say; the end of the producer's threads takes a moment.
        producer.purge(PurgeConfig::default().queue().inflight());
        thread::spawn(move || drop(producer));
    }
}

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        context::log(level, facility, message);
    }

    fn error(&self, error: Error, reason: &str) {
        tracing::debug!(%error, reason, "librdkafka");
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, number: usize) {
        match result {
            Ok(_) => self.0.arrived(number),
            Err((error, _)) => match error.rdkafka_error_code() {
                Some(code) => self.0.failed(number, &describe(code), is_of_the_message(code)),
                None => self.0.failed(number, &error.to_string(), false),
            },
        }
    }
}

/// Whether the broker refuses this message whenever it is sent.
fn is_of_the_message(code: RDKafkaErrorCode) -> bool {
    code == RDKafkaErrorCode::MessageSizeTooLarge || code == RDKafkaErrorCode::InvalidRecord
}

fn describe(code: RDKafkaErrorCode) -> String {
    if code == RDKafkaErrorCode::MessageSizeTooLarge {
        "the message is too large (kafka.message_bytes_max, and the topic's max.message.bytes)"
            .to_owned()
    } else {
        code.to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use chrono::DateTime;
    use rdkafka::{
        Offset, TopicPartitionList,
        consumer::{BaseConsumer, Consumer},
        mocking::MockCluster,
        types::{RDKafkaApiKey, RDKafkaRespErr},
    };
    use ulid::Ulid;

    use domain::event::Decoded;

    use super::*;

    const EVENTS: i64 = 40;
    const PATIENCE: Duration = Duration::from_secs(30);

    fn event(position: i64) -> RecordedEvent {
        RecordedEvent {
            position,
            event_id: Ulid::from_parts(1_700_000_000_000, 7),
            aggregate_type: "ledger".to_owned(),
            aggregate_id: "018f3c5e-7a00-7000-8000-000000000001".to_owned(),
            sequence: position,
            event_type: "LedgerOpened".to_owned(),
            event_version: "2.0".to_owned(),
            payload: format!(r#"{{"type":"LedgerOpened","text":"{}"}}"#, "x".repeat(1_000)),
            metadata: "{}".to_owned(),
            recorded_at: DateTime::UNIX_EPOCH,
            decoded: Decoded::default(),
        }
    }

    /// A broker refuses the first batch of a partition that it has only just been given, and takes any sequence number as the
    /// first one of a producer that it does not know. If the next batch were under way by then, librdkafka would take its
    /// arrival for that of the refused one.
    #[tokio::test]
    async fn a_refused_batch_of_a_new_partition_is_not_overtaken() {
        // A mock cluster, for a real broker cannot be asked to be slow in just this moment.
        let cluster = MockCluster::new(1).unwrap();
        let options = KafkaOptions {
            brokers: cluster.bootstrap_servers(),
            topic_prefix: "test".to_owned(),
            partitions: 1,
            replication: 1,
            retention_ms: -1,
            message_bytes_max: 2_000,
            security: Vec::new(),
        };
        cluster.create_topic(&options.topic("ledger"), 1, 1).unwrap();
        cluster.broker_round_trip_time(1, Duration::from_millis(20)).unwrap();
        let refusals = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION];
        cluster.request_errors(RDKafkaApiKey::Produce, &refusals);

        let sender = Sender::connect(&options, 0, false).unwrap();
        for position in 1..=EVENTS {
            sender.send(&event(position)).unwrap();
        }
        let mut progress = sender.progress();
        let arrived = progress.wait_for(|now| now.done == EVENTS || now.failure.is_some());
        let now = tokio::time::timeout(PATIENCE, arrived).await.unwrap().unwrap().clone();
        assert_eq!((now.done, now.failure), (EVENTS, None));

        let reader: BaseConsumer = options.client().set("group.id", "test").create().unwrap();
        let mut beginning = TopicPartitionList::new();
        let topic = options.topic("ledger");
        beginning.add_partition_offset(&topic, 0, Offset::Beginning).unwrap();
        reader.assign(&beginning).unwrap();
        let started = Instant::now();
        let mut positions = Vec::new();
        while positions.last() != Some(&EVENTS) && started.elapsed() < PATIENCE {
            let Some(message) = reader.poll(PATIENCE) else { continue };
            positions.push(cloud_event::recorded(&message.unwrap()).unwrap().position);
        }
        assert_eq!(positions, (1..=EVENTS).collect::<Vec<_>>());
    }
}
