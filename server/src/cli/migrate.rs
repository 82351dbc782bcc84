//! `backtrail migrate`: brings the schema up to date and creates Kafka's topics.

use infra::{kafka, postgres};

use crate::{
    backend::{Access, Backend},
    config::Config,
    output,
};

/// Bring the database schema up to date and, if Kafka is configured, create its topics.
///
/// Safe to repeat and while servers are running.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  BACKTRAIL_DATABASE__URL=postgresql://owner@db/backtrail backtrail migrate"
)]
pub(super) struct Arguments {}

pub(super) async fn run(config: &Config, _arguments: &Arguments) -> anyhow::Result<()> {
    let database = &config.database;
    if database.url.is_empty() {
        // The embedded cluster is migrated whenever it is opened.
        Backend::open(config, Access::Share).await?.close().await?;
    } else {
        let own = database.migrate_url.as_str();
        postgres::migrate(if own.is_empty() { &database.url } else { own }).await?;
    }
    output::line("the schema is up to date")?;
    match config.kafka.options() {
        Some(options) => create_topics(&options).await,
        None => Ok(()),
    }
}

async fn create_topics(options: &kafka::KafkaOptions) -> anyhow::Result<()> {
    for topic in kafka::create_topics(options).await? {
        let kafka::TopicReport { name, partitions, partitions_expected, is_new } = topic;
        let what = if is_new { "created with" } else { "exists with" };
        let remark = if partitions == partitions_expected {
            String::new()
        } else {
            format!(
                "; kafka.partitions is {partitions_expected}, but the number is fixed when a topic is created"
            )
        };
        output::line(&format!("topic {name}: {what} {partitions} partitions{remark}"))?;
    }
    Ok(())
}
