//! Turns events into the rows of strategies.

use deadpool_postgres::Transaction;
use domain::{
    event::RecordedEvent,
    ids::StrategyId,
    strategy::{StrategyContent, StrategyEvent},
};
use futures_util::{FutureExt, future::BoxFuture};
use infra::postgres::DatabaseError;
use tokio_postgres::Row;

use super::{
    NAME, TABLE,
    row::{StrategyRow, read},
};
use crate::{
    error::Poison,
    models::lifecycle_rows::{self, Located},
    read_model::{Changes, Folded, ReadModel},
    sql::bulk::{Columns, definitions},
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
    ("id", "uuid PRIMARY KEY"),
    ("owner_id", "uuid NOT NULL"),
    ("slug", "text NOT NULL"),
    ("name", "text NOT NULL"),
    ("description", "text NOT NULL"),
    ("definition", "json NOT NULL"),
    ("default_symbol", "text"),
    ("is_active", "boolean NOT NULL"),
    ("is_public", "boolean NOT NULL"),
    ("version", "integer NOT NULL"),
    ("sequence", "bigint NOT NULL"),
    ("position", "bigint NOT NULL"),
    ("created_at", "timestamptz NOT NULL"),
    ("updated_at", "timestamptz NOT NULL"),
];

/// Strategy events of a batch.
struct StrategyChanges(Vec<Located<StrategyEvent>>);

impl Changes for StrategyChanges {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn write<'a>(
        self: Box<Self>,
        transaction: &'a Transaction<'a>,
        table: &'a str,
    ) -> BoxFuture<'a, Result<(), DatabaseError>> {
        async move {
            let columns: Vec<&str> = COLUMNS.iter().map(|(name, _)| *name).collect();
            let read = |row: &Row| read(row).map(|strategy| (strategy.id.uuid(), strategy));
            lifecycle_rows::update(transaction, table, &columns, self.0, read, apply).await
        }
        .boxed()
    }
}

fn create(table: &str) -> String {
    format!(
        "CREATE TABLE read_models.{table} ({}); \
         CREATE UNIQUE INDEX {table}_slug ON read_models.{table} (owner_id, slug); \
         CREATE INDEX {table}_owner ON read_models.{table} (owner_id, created_at, id); \
         CREATE INDEX {table}_public ON read_models.{table} (created_at, id) WHERE is_public;",
        definitions(COLUMNS)
    )
}

fn fold(events: &[&RecordedEvent]) -> Folded {
    let located = events.iter().map(|recorded| Located::new(recorded, recorded.decode()?));
    Ok(Box::new(StrategyChanges(located.collect::<Result<_, _>>()?)))
}

fn apply(row: &mut Option<StrategyRow>, located: Located<StrategyEvent>) {
    let Located { id, sequence, position, recorded_at, event } = located;
    if let StrategyEvent::StrategyCreated { owner_id, slug, content, is_active, is_public } = event
    {
        let StrategyContent { name, description, definition, default_symbol } = content;
        *row = Some(StrategyRow {
            id: StrategyId::new(id),
            owner_id,
            slug,
            name,
            description,
            definition,
            default_symbol,
            is_active,
            is_public,
            version: 1,
            sequence,
            position,
            created_at: recorded_at,
            updated_at: recorded_at,
        });
        return;
    }
    // Only events of deleted strategies find no row.
    let Some(strategy) = row else { return };
    strategy.sequence = sequence;
    strategy.position = position;
    strategy.updated_at = recorded_at;
    match event {
        StrategyEvent::StrategyCreated { .. } => {}
        StrategyEvent::StrategyRevised { version, content } => {
            strategy.version = version;
            strategy.name = content.name;
            strategy.description = content.description;
            strategy.definition = content.definition;
            strategy.default_symbol = content.default_symbol;
        }
        StrategyEvent::StrategyActivated {} => strategy.is_active = true,
        StrategyEvent::StrategyDeactivated {} => strategy.is_active = false,
        StrategyEvent::StrategyPublished {} => strategy.is_public = true,
        StrategyEvent::StrategyUnpublished {} => strategy.is_public = false,
        StrategyEvent::StrategyDeleted {} => *row = None,
    }
}

impl StrategyRow {
    /// Returns the row that a strategy's own events make, without the read model; `None` after its deletion.
    ///
    /// # Errors
    /// An event that cannot be folded.
    pub fn of_events(events: &[RecordedEvent]) -> Result<Option<Self>, Poison> {
        lifecycle_rows::fold_one(events, |recorded| Ok(recorded.decode()?), apply)
    }
}
