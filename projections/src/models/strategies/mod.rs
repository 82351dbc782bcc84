//! Read model: one row per strategy.

mod fold;
mod row;

use domain::ids::{StrategyId, UserId};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    error::QueryError,
    handle::ReadModels,
    sql::{
        by_ids,
        page::{KeyKind, Order, Page, PageRequest, Place, Select},
    },
};

pub(crate) use fold::READ_MODEL;
pub use row::StrategyRow;
use row::read;

/// Its permanent name.
pub const NAME: &str = "strategies";
const TABLE: &str = "strategies_v1";

/// Whose strategies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StrategyScope {
    /// One's own.
    Mine(UserId),
    /// Public ones of all users.
    Public,
    /// The user's own and public ones of all users.
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
    /// The strategy of that id; the caller checks access. Waits for one that was just created.
    ///
    /// # Errors
    /// The read model is behind, or the database.
    pub async fn strategy(&self, id: StrategyId) -> Result<Option<StrategyRow>, QueryError> {
        let found = self.strategies_by_ids(&[id]).await?.pop();
        if found.is_some() || !self.stream_exists(NAME, "strategy", &id.to_string()).await? {
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
        let statement = client.prepare_cached(&by_ids::select("t.*", TABLE)).await?;
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
            select.contains(&["name", "description"], search);
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
