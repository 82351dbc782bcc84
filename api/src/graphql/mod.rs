//! GraphQL over the same read models and the same ownership check; read only.

mod connection;
pub(crate) mod endpoint;
mod filters;
mod limits;
mod loaders;
mod scalars;
mod types;

use std::sync::Arc;

use async_graphql::{EmptyMutation, EmptySubscription, MergedObject, Schema};

use self::types::{backtest::BacktestQuery, strategy::StrategyQuery, user::UserQuery};
use crate::http::{caller::Caller, error::ApiError};

/// Fields in one another; of a query for the schema alone, the standard one is 15 deep.
const DEPTH_MAX: usize = 12;
const INTROSPECTION_DEPTH_MAX: usize = 20;
/// Fields, times the rows of the lists that they are in.
const COMPLEXITY_MAX: usize = 5_000;

/// The root of all queries.
#[derive(MergedObject, Default)]
pub(crate) struct Query(UserQuery, StrategyQuery, BacktestQuery);

type ReadSchema = Schema<Query, EmptyMutation, EmptySubscription>;

/// Returns the schema with fields nested at most that deep.
fn schema(depth_max: usize) -> ReadSchema {
    Schema::build(Query::default(), EmptyMutation, EmptySubscription)
        .limit_depth(depth_max)
        .limit_complexity(COMPLEXITY_MAX)
        .limit_directives(10)
        .finish()
}

/// An error as GraphQL shows it; what is ours is logged and not shown.
fn refusal(error: impl Into<ApiError>) -> async_graphql::Error {
    use async_graphql::ErrorExtensions as _;
    let error = error.into();
    error.log();
    let code = error.code().to_owned();
    async_graphql::Error::new(error.message()).extend_with(|_, extensions| {
        extensions.set("code", code.as_str());
    })
}

/// Who asks.
///
/// # Errors
/// When the endpoint did not say.
fn caller<'a>(context: &async_graphql::Context<'a>) -> async_graphql::Result<&'a Arc<Caller>> {
    context.data::<Arc<Caller>>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::assert_published;

    #[test]
    fn the_schema_is_the_published_one() {
        assert_published("schema.graphql", &schema(DEPTH_MAX).sdl());
    }
}
