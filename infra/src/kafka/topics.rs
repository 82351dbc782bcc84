//! The topics: one for each aggregate type and one for dead letters, created through the admin API.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use domain::aggregates::AGGREGATE_TYPES;
use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    config::FromClientConfigAndContext,
    error::RDKafkaErrorCode,
};

use super::{context::LogContext, error::KafkaError, options::KafkaOptions};

const RESPONSE_BOUND: Duration = Duration::from_secs(10);
/// What a broker counts toward its limit besides the message: the header of the batch.
const BATCH_OVERHEAD_BYTES: usize = 512;
/// What a dead letter has besides its message: where it was, and what is wrong with it.
pub(super) const DEAD_LETTER_OVERHEAD_BYTES: usize = 8_192;

/// A topic, as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicReport {
    pub name: String,
    pub partitions: usize,
    /// What the configuration asks for; partitions are fixed at creation, for they give each aggregate its place.
    pub partitions_expected: usize,
    pub is_new: bool,
}

/// Creates what is missing, and reports what is there. Safe to repeat, and beside others who do the same.
///
/// # Errors
/// The brokers, or what they refuse.
pub async fn create_topics(options: &KafkaOptions) -> Result<Vec<TopicReport>, KafkaError> {
    let admin = admin(options)?;
    let names = names(options);
    let before = partitions(&admin).await?;
    let missing: Vec<&String> = names.iter().filter(|name| !before.contains_key(*name)).collect();
    if !missing.is_empty() {
        create(&admin, options, &missing).await?;
    }
    // What others created meanwhile may have other partitions than ours would.
    let now = if missing.is_empty() { before.clone() } else { partitions(&admin).await? };
    let expected = usize::try_from(options.partitions).unwrap_or_default();
    Ok(names
        .into_iter()
        .map(|name| TopicReport {
            // A broker may report a topic only a moment after it was created.
            partitions: now.get(&name).copied().unwrap_or(expected),
            partitions_expected: expected,
            is_new: !before.contains_key(&name),
            name,
        })
        .collect())
}

/// Lists the topics that the brokers lack; changes nothing.
///
/// # Errors
/// The brokers.
pub async fn missing_topics(options: &KafkaOptions) -> Result<Vec<String>, KafkaError> {
    let known = partitions(&admin(options)?).await?;
    Ok(names(options).into_iter().filter(|name| !known.contains_key(name)).collect())
}

fn admin(options: &KafkaOptions) -> Result<Arc<AdminClient<LogContext>>, KafkaError> {
    let client = AdminClient::from_config_and_context(&options.client(), LogContext);
    client.map(Arc::new).map_err(|error| KafkaError::Settings(error.to_string()))
}

/// The topic of each aggregate type, and the one of dead letters.
fn names(options: &KafkaOptions) -> Vec<String> {
    let names = AGGREGATE_TYPES.iter().map(|name| options.topic(name));
    names.chain([options.dead_letter_topic()]).collect()
}

async fn create(
    admin: &AdminClient<LogContext>,
    options: &KafkaOptions,
    names: &[&String],
) -> Result<(), KafkaError> {
    let bytes_max = options.message_bytes_max + BATCH_OVERHEAD_BYTES;
    let dead_letter = options.dead_letter_topic();
    let bytes_max = |name: &str| match name == dead_letter {
        true => (bytes_max + DEAD_LETTER_OVERHEAD_BYTES).to_string(),
        false => bytes_max.to_string(),
    };
    let limits: Vec<String> = names.iter().map(|name| bytes_max(name)).collect();
    let retention = options.retention_ms.to_string();
    let topics = names.iter().zip(&limits).map(|(name, bytes_max)| {
        NewTopic::new(name, options.partitions, TopicReplication::Fixed(options.replication))
            .set("retention.ms", &retention)
            // Compaction would delete history, and the topics are a copy of the log.
            .set("cleanup.policy", "delete")
            .set("max.message.bytes", bytes_max)
    });
    let topics: Vec<NewTopic<'_>> = topics.collect();
    let within = AdminOptions::new()
        .request_timeout(Some(RESPONSE_BOUND))
        .operation_timeout(Some(RESPONSE_BOUND));
    let created = admin.create_topics(&topics, &within).await;
    for result in created.map_err(|error| KafkaError::Unavailable(error.to_string()))? {
        match result {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => {
                return Err(KafkaError::Topic { topic, reason: code.to_string() });
            }
        }
    }
    Ok(())
}

/// How many partitions each topic has that the brokers know.
async fn partitions(
    admin: &Arc<AdminClient<LogContext>>,
) -> Result<BTreeMap<String, usize>, KafkaError> {
    let unavailable = |reason: String| KafkaError::Unavailable(reason);
    let admin = Arc::clone(admin);
    // The call blocks, so it runs on a separate thread.
    let asked = tokio::task::spawn_blocking(move || {
        let metadata = admin.inner().fetch_metadata(None, RESPONSE_BOUND)?;
        let known = metadata.topics().iter().filter(|topic| topic.error().is_none());
        Ok(known.map(|topic| (topic.name().to_owned(), topic.partitions().len())).collect())
    });
    let asked = asked.await.map_err(|error| unavailable(error.to_string()))?;
    asked.map_err(|error: rdkafka::error::KafkaError| unavailable(error.to_string()))
}
