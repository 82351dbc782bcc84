//! Kafka: topics, the relay from the log to them, and the consumer that feeds the queue of jobs; nothing else knows rdkafka.

mod cloud_event;
pub mod consumer;
mod context;
mod deliveries;
mod error;
mod options;
pub mod relay;
mod sender;
pub mod topics;

pub use error::KafkaError;
pub use options::KafkaOptions;
pub use relay::Relay;
pub use topics::{TopicReport, create_topics, missing_topics};
