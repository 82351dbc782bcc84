//! Read model: one row per strategy.

use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use domain::{
    event::RecordedEvent,
    ids::{StrategyId, UserId},
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
    models::lifecycle_rows::{self, Placed},
    read_model::{Changes, Folded, ReadModel},
    sql::{
        bulk::{Columns, definitions},
        page::{KeyKind, Order, Page, PageRequest, Place, QueryError, Select},
        row,
    },
};

/// Its permanent name.
pub const NAME: &str = "strategies";
const TABLE: &str = "strategies_v1";

pub(crate) const READ_MODEL: ReadModel =
    ReadModel { name: NAME, table: TABLE, aggregates: &["strategy"], create, fold };

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

/// A strategy as it is now. Deleted ones have no row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StrategyRow {
    pub id: StrategyId,
    pub owner_id: UserId,
    pub slug: String,
    pub name: String,
    pub description: String,
    pub definition: StrategyDefinition,
    pub default_symbol: Option<Symbol>,
    pub is_active: bool,
    pub is_public: bool,
    pub version: u32,
    /// Of its last event: the ETag.
    pub sequence: i64,
    /// Of its last event.
    pub position: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// Whose strategies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StrategyScope {
    /// One's own.
    Mine(UserId),
    /// Everybody's public ones.
    Public,
    /// One's own and everybody's public ones.
    All(UserId),
}

/// Which strategies a list shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StrategyFilter {
    pub scope: StrategyScope,
    pub is_active: Option<bool>,
    /// A part of name or description, in any case.
    pub search: Option<String>,
}

/// What a list of strategies is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StrategySort {
    CreatedAt,
    Name,
}

impl ReadModels {
    /// The strategy of that id, whoever asks: the caller checks access. One that was just made is waited for.
    ///
    /// # Errors
    /// The read model is behind, or the database.
    pub async fn strategy(&self, id: StrategyId) -> Result<Option<StrategyRow>, QueryError> {
        let found = self.strategies_by_ids(&[id]).await?.pop();
        if found.is_some() || !self.has_been_born(NAME, "strategy", &id.to_string()).await? {
            return Ok(found);
        }
        Ok(self.strategies_by_ids(&[id]).await?.pop())
    }

    /// The owner's strategy of that slug.
    ///
    /// # Errors
    /// The database.
    pub async fn strategy_by_slug(
        &self,
        owner_id: UserId,
        slug: &str,
    ) -> Result<Option<StrategyRow>, QueryError> {
        let client = self.database.get().await?;
        let sql = format!("SELECT * FROM read_models.{TABLE} WHERE owner_id = $1 AND slug = $2");
        let statement = client.prepare_cached(&sql).await?;
        let found = client.query_opt(&statement, &[&owner_id.uuid(), &slug]).await?;
        Ok(found.as_ref().map(read).transpose()?)
    }

    /// Those of the ids that exist, in no order.
    ///
    /// # Errors
    /// The database.
    pub async fn strategies_by_ids(
        &self,
        ids: &[StrategyId],
    ) -> Result<Vec<StrategyRow>, QueryError> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
        let client = self.database.get().await?;
        let sql = format!("SELECT * FROM read_models.{TABLE} WHERE id = ANY($1)");
        let statement = client.prepare_cached(&sql).await?;
        let found = client.query(&statement, &[&ids]).await?;
        Ok(found.iter().map(read).collect::<Result<_, _>>()?)
    }

    /// A page of strategies; built-ins are constants and not among them.
    ///
    /// # Errors
    /// A cursor of another order, or the database.
    pub async fn list_strategies(
        &self,
        filter: &StrategyFilter,
        sort: StrategySort,
        descending: bool,
        page: &PageRequest,
    ) -> Result<Page<StrategyRow>, QueryError> {
        let mut select = Select::new("*", TABLE);
        match filter.scope {
            StrategyScope::Mine(owner) => select.compare("owner_id =", owner.uuid()),
            StrategyScope::Public => select.only("is_public".to_owned()),
            StrategyScope::All(owner) => {
                let owner = select.bind(owner.uuid());
                select.only(format!("(is_public OR owner_id = {owner})"));
            }
        }
        if let Some(is_active) = filter.is_active {
            select.compare("is_active =", is_active);
        }
        if let Some(search) = &filter.search {
            let part = select.bind(search.to_lowercase());
            select.only(format!("strpos(lower(name || ' ' || description), {part}) > 0"));
        }
        let (expression, kind) = match sort {
            StrategySort::CreatedAt => ("created_at", KeyKind::Time),
            StrategySort::Name => ("name", KeyKind::Text),
        };
        let order = Order { expression, kind, descending, tie: Some("id") };
        let read = |row: &Row| {
            let strategy = read(row)?;
            let id = strategy.id.uuid();
            let place = match sort {
                StrategySort::CreatedAt => Place::time(strategy.created_at, id),
                StrategySort::Name => Place::text(strategy.name.clone(), id),
            };
            Ok((strategy, place))
        };
        select.page(&self.database, &order, page, None, read).await
    }
}

fn read(row: &Row) -> Result<StrategyRow, DatabaseError> {
    let Json(definition) = row.try_get("definition")?;
    let default_symbol: Option<&str> = row.try_get("default_symbol")?;
    Ok(StrategyRow {
        id: StrategyId::new(row.try_get("id")?),
        owner_id: UserId::new(row.try_get("owner_id")?),
        slug: row.try_get("slug")?,
        name: row.try_get("name")?,
        description: row.try_get("description")?,
        definition,
        default_symbol: match default_symbol {
            Some(_) => Some(row::word(row, "default_symbol")?),
            None => None,
        },
        is_active: row.try_get("is_active")?,
        is_public: row.try_get("is_public")?,
        version: row::count(row, "version")?,
        sequence: row.try_get("sequence")?,
        position: row.try_get("position")?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
    })
}

/// Strategy events of a batch.
struct StrategyChanges(Vec<Placed<StrategyEvent>>);

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
    let placed = events.iter().map(|recorded| Placed::new(recorded, recorded.decode()?));
    Ok(Box::new(StrategyChanges(placed.collect::<Result<_, _>>()?)))
}

fn apply(row: &mut Option<StrategyRow>, placed: Placed<StrategyEvent>) {
    let Placed { id, sequence, position, recorded_at, event } = placed;
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
