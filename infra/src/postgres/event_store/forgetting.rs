//! Forgets the commands that nobody may repeat any more.

use std::time::Duration;

use tokio::time::MissedTickBehavior;

use crate::postgres::database::{Database, DatabaseError};

const INTERVAL: Duration = Duration::from_secs(3600);

/// Every hour, in any number of processes.
pub(super) async fn run(database: Database) {
    let mut interval = tokio::time::interval(INTERVAL);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        if let Err(error) = forget_all(&database).await {
            tracing::warn!(%error, "old commands are forgotten an hour later");
        }
    }
}

/// Some at a time, so that no statement takes long.
async fn forget_all(database: &Database) -> Result<(), DatabaseError> {
    let client = database.get().await?;
    loop {
        let row = client.query_one("SELECT forget_commands()", &[]).await?;
        if row.try_get::<_, i64>(0)? == 0 {
            return Ok(());
        }
    }
}
