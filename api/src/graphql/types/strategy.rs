//! `Strategy`: the caller's own, public ones, built-ins.

use async_graphql::{Context, Enum, ID, Json, Object, Result, SimpleObject};
use domain::strategy::{Builtin, StrategyDefinition};
use projections::strategies::{StrategyFilter, StrategyRow, StrategyScope, StrategySort};
use serde_json::{Value, json};

use crate::{
    graphql::{
        connection::{List, connection, list_complexity, page_request},
        context::caller,
        error::refusal,
        scalars::Time,
    },
    lookup::FoundStrategy,
};

/// Queries of strategies.
#[derive(Default)]
pub(crate) struct StrategyQuery;

/// A strategy.
#[derive(Clone, SimpleObject)]
pub(crate) struct Strategy {
    id: ID,
    slug: String,
    /// Null for built-in strategies.
    owner_id: Option<ID>,
    name: String,
    description: String,
    /// `code` (uses a built-in) or `rules`.
    kind: String,
    code_ref: Option<String>,
    entry_rules: Option<Json<Value>>,
    exit_rules: Option<Json<Value>>,
    short_entry_rules: Option<Json<Value>>,
    short_exit_rules: Option<Json<Value>>,
    config: Option<Json<Value>>,
    default_parameters: Json<Value>,
    default_symbol: Option<String>,
    is_active: bool,
    is_public: bool,
    version: u32,
    /// Null for built-in strategies.
    created_at: Option<Time>,
    /// Null for built-in strategies.
    updated_at: Option<Time>,
}

/// Whose strategies to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Enum)]
pub(crate) enum Scope {
    /// Your own.
    #[default]
    Mine,
    /// Public ones of all users.
    Public,
    /// Your own and public ones.
    All,
}

impl From<StrategyRow> for Strategy {
    fn from(row: StrategyRow) -> Self {
        let StrategyDefinition {
            code_ref,
            entry_rules,
            exit_rules,
            short_entry_rules,
            short_exit_rules,
            config,
            default_parameters,
        } = row.definition;
        Self {
            id: row.id.to_string().into(),
            slug: row.slug,
            owner_id: Some(row.owner_id.to_string().into()),
            name: row.name,
            description: row.description,
            kind: if code_ref.is_some() { "code" } else { "rules" }.to_owned(),
            code_ref,
            entry_rules: entry_rules.map(Json),
            exit_rules: exit_rules.map(Json),
            short_entry_rules: short_entry_rules.map(Json),
            short_exit_rules: short_exit_rules.map(Json),
            config: config.map(Json),
            default_parameters: Json(json!(default_parameters)),
            default_symbol: row.default_symbol.map(String::from),
            is_active: row.is_active,
            is_public: row.is_public,
            version: row.version,
            created_at: Some(Time(row.created_at)),
            updated_at: Some(Time(row.updated_at)),
        }
    }
}

impl From<&Builtin> for Strategy {
    fn from(builtin: &Builtin) -> Self {
        let definition = StrategyDefinition::of_builtin(builtin);
        Self {
            id: builtin.id().to_string().into(),
            slug: builtin.slug.to_owned(),
            owner_id: None,
            name: builtin.title.to_owned(),
            description: builtin.description.to_owned(),
            kind: definition.kind().to_owned(),
            code_ref: definition.code_ref,
            entry_rules: None,
            exit_rules: None,
            short_entry_rules: None,
            short_exit_rules: None,
            config: None,
            default_parameters: Json(json!(definition.default_parameters)),
            default_symbol: None,
            is_active: true,
            is_public: true,
            version: 1,
            created_at: None,
            updated_at: None,
        }
    }
}

impl From<FoundStrategy> for Strategy {
    fn from(found: FoundStrategy) -> Self {
        match found {
            FoundStrategy::Stored(row) => (*row).into(),
            FoundStrategy::Builtin(builtin) => builtin.into(),
        }
    }
}

#[Object]
impl StrategyQuery {
    /// Returns a strategy by id, by the slug of one of your own, or by the slug of a built-in. If it does not
    /// exist or you may not read it, the field is null and `errors` says why.
    async fn strategy(&self, context: &Context<'_>, id: ID) -> Option<Result<Strategy>> {
        let find =
            async || caller(context)?.strategy(&id).await.map(Strategy::from).map_err(refusal);
        Some(find().await)
    }

    /// Strategies, newest first. Built-ins are not part of any scope.
    #[graphql(complexity = "list_complexity(first, child_complexity)")]
    async fn strategies(
        &self,
        context: &Context<'_>,
        #[graphql(default)] scope: Scope,
        #[graphql(desc = "A part of the name or the description, in any case.")] search: Option<
            String,
        >,
        is_active: Option<bool>,
        first: i32,
        after: Option<String>,
    ) -> Result<List<Strategy>> {
        let caller = caller(context)?;
        let me = caller.user.id;
        let scope = match scope {
            Scope::Mine => StrategyScope::Mine(me),
            Scope::Public => StrategyScope::Public,
            Scope::All => StrategyScope::All(me),
        };
        let filter = StrategyFilter { scope, is_active, search };
        let has_previous = after.is_some();
        let request = page_request(first, after.as_deref())?;
        let reads = &caller.api.reads;
        let page = reads.list_strategies(&filter, StrategySort::CreatedAt, true, &request).await;
        Ok(connection(page.map_err(refusal)?, has_previous, Strategy::from))
    }
}
