//! GraphQL over the same read models and the same ownership check; read only.

mod connection;
mod context;
mod cost;
pub(crate) mod endpoint;
mod error;
mod filters;
mod limits;
mod loaders;
mod reply;
mod scalars;
mod types;
mod variables;

use async_graphql::{EmptyMutation, EmptySubscription, MergedObject, Schema};

use self::{
    cost::CostLimits,
    types::{backtest::BacktestQuery, strategy::StrategyQuery, user::UserQuery},
};

/// The root of all queries.
#[derive(MergedObject, Default)]
pub(crate) struct Query(UserQuery, StrategyQuery, BacktestQuery);

type ReadSchema = Schema<Query, EmptyMutation, EmptySubscription>;

/// Returns the schema with fields nested at most that deep.
fn schema(depth_max: usize) -> ReadSchema {
    Schema::build(Query::default(), EmptyMutation, EmptySubscription)
        .extension(CostLimits { depth_max })
        .limit_directives(10)
        .finish()
}

#[cfg(test)]
mod tests {
    use super::{limits::FIELDS_DEPTH_MAX, *};
    use crate::contract::assert_published;

    #[test]
    fn the_schema_is_the_published_one() {
        assert_published("schema.graphql", &schema(FIELDS_DEPTH_MAX).sdl());
    }
}
