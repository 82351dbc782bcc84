//! Which brokers a process uses, and how: names of topics and groups, limits, security.

use rdkafka::ClientConfig;

/// Which brokers, and how this installation uses them.
#[derive(Clone, PartialEq, Eq)]
pub struct KafkaOptions {
    /// `host:port`, separated by commas.
    pub brokers: String,
    /// What the names of topics and of the consumer group begin with.
    pub topic_prefix: String,
    /// Of each topic that is created.
    pub partitions: i32,
    /// Copies of each partition that is created.
    pub replication: i32,
    /// How long messages are kept; -1 is for ever.
    pub retention_ms: i64,
    /// The largest message, key and headers included.
    pub message_bytes_max: usize,
    /// Kafka's own names and values for TLS and SASL; those that are empty are left out.
    pub security: Vec<(&'static str, String)>,
}

impl KafkaOptions {
    /// The topic of an aggregate type's events: `backtrail.backtest`.
    #[must_use]
    pub fn topic(&self, aggregate_type: &str) -> String {
        format!("{}.{aggregate_type}", self.topic_prefix)
    }

    /// Where messages go that cannot be understood.
    #[must_use]
    pub fn dead_letter_topic(&self) -> String {
        self.topic("dead_letter")
    }

    /// The executors' consumer group: with the default prefix `backtrail-executors`, for ever.
    #[must_use]
    pub fn executors_group(&self) -> String {
        format!("{}-executors", self.topic_prefix)
    }

    /// What every client of the brokers is configured with.
    pub(super) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", "backtrail")
            .set("reconnect.backoff.ms", "100")
            .set("reconnect.backoff.max.ms", "1000");
        for (name, value) in &self.security {
            if !value.is_empty() {
                config.set(*name, value);
            }
        }
        config
    }

    /// What every producer is configured with: what it calls delivered is with the brokers.
    pub(super) fn producer(&self) -> ClientConfig {
        let mut config = self.client();
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            // librdkafka takes the arrival of a batch for that of every batch before it, refused ones included: see
            // docs/decisions/0015-one-batch-in-flight.md.
            .set("max.in.flight.requests.per.connection", "1");
        config
    }
}

impl std::fmt::Debug for KafkaOptions {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Without the security settings, which hold passwords.
        let Self { brokers, topic_prefix, .. } = self;
        write!(formatter, "KafkaOptions({brokers}, {topic_prefix})")
    }
}
