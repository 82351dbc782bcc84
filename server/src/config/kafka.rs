//! `[kafka]`: which brokers, which topics, and how to get in.

use infra::kafka::KafkaOptions;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KafkaConfig {
    /// Empty: no Kafka.
    pub brokers: String,
    pub topic_prefix: String,
    pub partitions: i32,
    pub replication: i32,
    pub retention_ms: i64,
    pub message_bytes_max: usize,
    pub security_protocol: String,
    pub sasl_mechanism: String,
    pub sasl_username: String,
    pub sasl_password: String,
    pub ssl_ca_location: String,
    pub ssl_certificate_location: String,
    pub ssl_key_location: String,
    pub ssl_key_password: String,
}

const SECURITY_PROTOCOLS: [&str; 4] = ["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"];

impl KafkaConfig {
    /// Returns the configuration of the adapters; `None` if no brokers are configured.
    #[must_use]
    pub fn options(&self) -> Option<KafkaOptions> {
        (!self.brokers.is_empty()).then(|| KafkaOptions {
            brokers: self.brokers.clone(),
            topic_prefix: self.topic_prefix.clone(),
            partitions: self.partitions,
            replication: self.replication,
            retention_ms: self.retention_ms,
            message_bytes_max: self.message_bytes_max,
            security: vec![
                ("security.protocol", self.security_protocol.clone()),
                ("sasl.mechanism", self.sasl_mechanism.clone()),
                ("sasl.username", self.sasl_username.clone()),
                ("sasl.password", self.sasl_password.clone()),
                ("ssl.ca.location", self.ssl_ca_location.clone()),
                ("ssl.certificate.location", self.ssl_certificate_location.clone()),
                ("ssl.key.location", self.ssl_key_location.clone()),
                ("ssl.key.password", self.ssl_key_password.clone()),
            ],
        })
    }

    /// Stars out what is secret.
    pub(super) fn mask(&mut self) {
        for secret in [&mut self.sasl_password, &mut self.ssl_key_password] {
            if !secret.is_empty() {
                "********".clone_into(secret);
            }
        }
    }

    /// Key, value, least and most.
    pub(super) fn ranges(&self) -> [(&'static str, i128, i128, i128); 4] {
        [
            ("kafka.partitions", self.partitions.into(), 1, 10_000),
            ("kafka.replication", self.replication.into(), 1, 100),
            ("kafka.retention_ms", self.retention_ms.into(), -1, i64::MAX.into()),
            // librdkafka's own bounds.
            ("kafka.message_bytes_max", self.message_bytes_max as i128, 1_000, 1_000_000_000),
        ]
    }

    /// What else is wrong.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let has_port = |broker: &str| {
            let port = broker.trim().rsplit_once(':').map(|(_, port)| port.parse::<u16>());
            matches!(port, Some(Ok(_)))
        };
        if !self.brokers.is_empty() && !self.brokers.split(',').all(has_port) {
            let brokers = &self.brokers;
            problems.push(format!(
                "kafka.brokers must be `host:port`, separated by commas, not `{brokers}`"
            ));
        }
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let prefix = &self.topic_prefix;
        // A topic's name has 249 characters at most.
        if prefix.is_empty() || prefix.len() > 200 || !prefix.chars().all(is_allowed) {
            problems.push(format!(
                "kafka.topic_prefix must be letters, digits, `.`, `_` and `-`, 1 to 200 of them, not `{prefix}`"
            ));
        }
        let mut one_of = |key: &str, value: &str, allowed: &[&str]| {
            if !allowed.contains(&value) {
                let allowed = allowed.join(", ");
                problems.push(format!("kafka.{key} must be one of {allowed}, not `{value}`"));
            }
        };
        one_of("security_protocol", &self.security_protocol, &SECURITY_PROTOCOLS);
        if self.security_protocol.contains("ssl") && !cfg!(feature = "kafka-tls") {
            let protocol = &self.security_protocol;
            problems.push(format!(
                "kafka.security_protocol `{protocol}` needs TLS, which this binary was built without \
                 (cargo build --features kafka-tls)"
            ));
        }
        problems
    }
}
