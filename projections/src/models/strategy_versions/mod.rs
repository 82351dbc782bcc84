//! Read model: one row per version of a strategy.

use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use domain::{
    event::RecordedEvent,
    ids::StrategyId,
    market::Symbol,
    strategy::{StrategyContent, StrategyDefinition, StrategyEvent},
};
use futures_util::{FutureExt, future::BoxFuture};
use infra::postgres::DatabaseError;
use serde::Serialize;
use tokio_postgres::{Row, types::Json};
use uuid::Uuid;

use crate::{
    ReadModels,
    read_model::{Changes, Folded, ReadModel, aggregate_id},
    sql::{
        bulk::{self, Columns, definitions},
        page::{KeyKind, Order, Page, PageRequest, Place, QueryError, Select},
        row,
    },
};

/// Its permanent name.
pub const NAME: &str = "strategy_versions";
const TABLE: &str = "strategy_versions_v1";

pub(crate) const READ_MODEL: ReadModel =
    ReadModel { name: NAME, table: TABLE, aggregates: &["strategy"], create, fold };

const COLUMNS: &Columns = &[
    ("strategy_id", "uuid NOT NULL"),
    ("version", "integer NOT NULL"),
    ("name", "text NOT NULL"),
    ("description", "text NOT NULL"),
    ("definition", "json NOT NULL"),
    ("default_symbol", "text"),
    ("created_at", "timestamptz NOT NULL"),
];

/// The content of a strategy under one version. A deleted strategy has no rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StrategyVersionRow {
    pub strategy_id: StrategyId,
    /// From 1.
    pub version: u32,
    pub name: String,
    pub description: String,
    pub definition: StrategyDefinition,
    pub default_symbol: Option<Symbol>,
    pub created_at: DateTime<Utc>,
}

impl ReadModels {
    /// The versions of a strategy, newest first.
    ///
    /// # Errors
    /// A cursor that is none, or the database.
    pub async fn strategy_versions(
        &self,
        strategy_id: StrategyId,
        page: &PageRequest,
    ) -> Result<Page<StrategyVersionRow>, QueryError> {
        let mut select = Select::new("*", TABLE);
        select.compare("strategy_id =", strategy_id.uuid());
        let order =
            Order { expression: "version", kind: KeyKind::Integer, descending: true, tie: None };
        let read = |row: &Row| {
            let version = read(row)?;
            let place = Place::integer(i64::from(version.version));
            Ok((version, place))
        };
        select.page(&self.database, &order, page, None, read).await
    }

    /// One version of a strategy.
    ///
    /// # Errors
    /// The database.
    pub async fn strategy_version(
        &self,
        strategy_id: StrategyId,
        version: u32,
    ) -> Result<Option<StrategyVersionRow>, QueryError> {
        let client = self.database.get().await?;
        let sql = format!(
            "SELECT * FROM read_models.{TABLE} WHERE strategy_id = $1 AND version = $2::bigint"
        );
        let statement = client.prepare_cached(&sql).await?;
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 2] =
            [&strategy_id.uuid(), &i64::from(version)];
        let found = client.query_opt(&statement, &parameters).await?;
        Ok(found.as_ref().map(read).transpose()?)
    }
}

fn read(row: &Row) -> Result<StrategyVersionRow, DatabaseError> {
    let Json(definition) = row.try_get("definition")?;
    let default_symbol: Option<&str> = row.try_get("default_symbol")?;
    Ok(StrategyVersionRow {
        strategy_id: StrategyId::new(row.try_get("strategy_id")?),
        version: row::count(row, "version")?,
        name: row.try_get("name")?,
        description: row.try_get("description")?,
        definition,
        default_symbol: match default_symbol {
            Some(_) => Some(row::word(row, "default_symbol")?),
            None => None,
        },
        created_at: row.try_get("created_at")?,
    })
}

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
