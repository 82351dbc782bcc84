//! Turns events into the rows of strategy versions.

use deadpool_postgres::Transaction;
use domain::{
    event::RecordedEvent,
    ids::StrategyId,
    strategy::{StrategyContent, StrategyEvent},
};
use futures_util::{FutureExt, future::BoxFuture};
use infra::postgres::DatabaseError;
use uuid::Uuid;

use super::{NAME, TABLE, row::StrategyVersionRow};
use crate::{
    read_model::{Changes, Folded, ReadModel, aggregate_id},
    sql::bulk::{self, Columns, definitions},
};

pub(crate) const READ_MODEL: ReadModel = ReadModel {
    name: NAME,
    table: TABLE,
    aggregates: &["strategy"],
    first_events_only: false,
    create,
    fold,
};

const COLUMNS: &Columns = &[
    ("strategy_id", "uuid NOT NULL"),
    ("version", "integer NOT NULL"),
    ("name", "text NOT NULL"),
    ("description", "text NOT NULL"),
    ("definition", "json NOT NULL"),
    ("default_symbol", "text"),
    ("created_at", "timestamptz NOT NULL"),
];

/// Versions made in a batch, and the strategies that are gone with all of theirs.
#[derive(Default)]
struct VersionChanges {
    rows: Vec<StrategyVersionRow>,
    gone: Vec<Uuid>,
}

impl Changes for VersionChanges {
    fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.gone.is_empty()
    }

    fn write<'a>(
        self: Box<Self>,
        transaction: &'a Transaction<'a>,
        table: &'a str,
    ) -> BoxFuture<'a, Result<(), DatabaseError>> {
        async move {
            let columns: Vec<&str> = COLUMNS.iter().map(|(name, _)| *name).collect();
            bulk::delete(transaction, table, "strategy_id", &self.gone).await?;
            bulk::upsert(transaction, table, "strategy_id, version", &columns, &self.rows).await
        }
        .boxed()
    }
}

fn create(table: &str) -> String {
    let columns = definitions(COLUMNS);
    format!("CREATE TABLE read_models.{table} ({columns}, PRIMARY KEY (strategy_id, version));")
}

fn fold(events: &[&RecordedEvent]) -> Folded {
    let mut changes = VersionChanges::default();
    for event in events {
        let id = aggregate_id(event)?;
        match event.decode()? {
            StrategyEvent::StrategyCreated { content, .. } => {
                changes.rows.push(version_row(id, 1, content, event));
            }
            StrategyEvent::StrategyRevised { version, content } => {
                changes.rows.push(version_row(id, version, content, event));
            }
            StrategyEvent::StrategyDeleted {} => {
                changes.rows.retain(|row| row.strategy_id.uuid() != id);
                changes.gone.push(id);
            }
            StrategyEvent::StrategyActivated {}
            | StrategyEvent::StrategyDeactivated {}
            | StrategyEvent::StrategyPublished {}
            | StrategyEvent::StrategyUnpublished {} => {}
        }
    }
    Ok(Box::new(changes))
}

fn version_row(
    id: Uuid,
    version: u32,
    content: StrategyContent,
    event: &RecordedEvent,
) -> StrategyVersionRow {
    let StrategyContent { name, description, definition, default_symbol } = content;
    StrategyVersionRow {
        strategy_id: StrategyId::new(id),
        version,
        name,
        description,
        definition,
        default_symbol,
        created_at: event.recorded_at,
    }
}
