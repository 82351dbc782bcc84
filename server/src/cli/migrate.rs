//! `backtrail migrate`: brings the schema up to date.

use infra::postgres::Database;

use crate::{
    backend::{Access, Backend},
    config::Config,
    output,
};

/// Bring the database's schema up to date. Safe to repeat, and beside a running server.
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
        Database::migrate(if own.is_empty() { &database.url } else { own }).await?;
    }
    Ok(output::line("the schema is up to date")?)
}
