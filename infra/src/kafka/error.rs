//! What can go wrong between Backtrail and Kafka's brokers.

/// What can go wrong between Backtrail and the brokers; the message is for operators.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KafkaError {
    /// librdkafka does not take the settings.
    #[error("the settings under [kafka] are refused: {0}")]
    Settings(String),
    /// No broker can be reached: worth a retry.
    #[error("the brokers of kafka.brokers do not respond: {0}")]
    Unavailable(String),
    /// A broker refused.
    #[error("the topic {topic} cannot be created: {reason}")]
    Topic { topic: String, reason: String },
}
