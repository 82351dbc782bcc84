//! Keeps messages that cannot be understood: in a separate topic, and in a row for the operator.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use rdkafka::{
    error::KafkaError as Error,
    message::{Header, Headers, Message, OwnedHeaders, OwnedMessage},
    producer::{FutureProducer, FutureRecord},
};
use serde_json::{Map, Value, json};

use crate::{
    kafka::{options::KafkaOptions, topics::DEAD_LETTER_OVERHEAD_BYTES},
    postgres::{Database, DatabaseError, dead_letters::DeadMessage},
};

const SEND_BOUND: Duration = Duration::from_secs(10);
/// Of a reason, in bytes.
const REASON_MAX: usize = 1_000;

/// Dead-letters messages; its producer is there from the first one on.
pub(super) struct DeadLetters<'a> {
    options: &'a KafkaOptions,
    database: &'a Database,
    producer: Option<FutureProducer>,
}

/// Why a message is not with the dead letters yet.
#[derive(Debug, thiserror::Error)]
pub(super) enum DeadLetterError {
    #[error("the dead-letter topic: {0}")]
    Kafka(#[from] Error),
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl<'a> DeadLetters<'a> {
    pub(super) fn new(options: &'a KafkaOptions, database: &'a Database) -> Self {
        Self { options, database, producer: None }
    }

    /// Sends the message to the dead-letter topic, with its headers and the reason, and keeps it in a row. After an error it is
    /// tried again: the topic may have it twice, but there is only one row.
    pub(super) async fn dead_letter(
        &mut self,
        message: &OwnedMessage,
        reason: &str,
    ) -> Result<(), DeadLetterError> {
        let reason = shortened(reason);
        self.send(message, reason).await?;
        let header = |name: &str| header(message, name).unwrap_or_default();
        let letter = DeadMessage {
            topic: message.topic().to_owned(),
            partition: message.partition(),
            offset: message.offset(),
            content: content(message),
            aggregate_type: header("ce_source").rsplit('/').next().unwrap_or_default().to_owned(),
            aggregate_id: header("ce_subject"),
            event_type: header("ce_type"),
            error: reason.to_owned(),
        };
        letter.record(self.database).await?;
        let (topic, partition, offset) = (message.topic(), message.partition(), message.offset());
        tracing::error!(topic, partition, offset, reason, "a message went to the dead letters");
        Ok(())
    }

    async fn send(&mut self, message: &OwnedMessage, reason: &str) -> Result<(), Error> {
        let producer = match self.producer.take() {
            Some(producer) => producer,
            None => self.producer()?,
        };
        let topic = self.options.dead_letter_topic();
        let mut record = FutureRecord::<[u8], [u8]>::to(&topic).headers(headers(message, reason));
        record.key = message.key();
        record.payload = message.payload();
        let sent = producer.send(record, SEND_BOUND).await;
        self.producer = Some(producer);
        sent.map(|_| ()).map_err(|(error, _)| error)
    }

    fn producer(&self) -> Result<FutureProducer, Error> {
        let bytes_max = self.options.message_bytes_max + DEAD_LETTER_OVERHEAD_BYTES;
        let mut config = self.options.producer();
        config
            .set("message.timeout.ms", SEND_BOUND.as_millis().to_string())
            .set("message.max.bytes", bytes_max.to_string());
        config.create()
    }
}

/// The message's own headers, and ours after them.
fn headers(message: &OwnedMessage, reason: &str) -> OwnedHeaders {
    let own = message.headers().cloned().unwrap_or_default();
    let (partition, offset) = (message.partition().to_string(), message.offset().to_string());
    [
        ("dead_letter_reason", reason),
        ("dead_letter_topic", message.topic()),
        ("dead_letter_partition", &partition),
        ("dead_letter_offset", &offset),
    ]
    .into_iter()
    .fold(own, |headers, (key, value)| headers.insert(Header { key, value: Some(value) }))
}

/// Everything that the message holds, as JSON.
fn content(message: &OwnedMessage) -> Value {
    let base64 = |bytes: &[u8]| STANDARD.encode(bytes);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace('\0', "\u{fffd}");
    let headers: Map<String, Value> = message
        .headers()
        .into_iter()
        .flat_map(|headers| headers.iter())
        .map(|found| (found.key.to_owned(), found.value.map(text).into()))
        .collect();
    json!({
        "topic": message.topic(),
        "partition": message.partition(),
        "offset": message.offset(),
        "key": message.key().map(text),
        "headers": headers,
        "payload": message.payload().map(base64),
    })
}

fn header(message: &OwnedMessage, name: &str) -> Option<String> {
    let headers = message.headers()?;
    let found = headers.iter().find(|header| header.key == name)?;
    // PostgreSQL's text takes every character but one.
    found.value.map(|value| String::from_utf8_lossy(value).replace('\0', "\u{fffd}"))
}

fn shortened(reason: &str) -> &str {
    &reason[..reason.floor_char_boundary(REASON_MAX)]
}
