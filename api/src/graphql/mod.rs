//! GraphQL over the same read models and the same ownership check; read only.

mod limits;
mod loaders;
mod scalars;
mod types;

use std::sync::Arc;

use async_graphql::{
    BatchRequest, EmptyMutation, EmptySubscription, MergedObject, Schema,
    dataloader::DataLoader,
    parser::types::{ExecutableDocument, Selection},
};
use poem::{Endpoint, Request, Response, http::Method};

use self::types::{backtest::BacktestQuery, strategy::StrategyQuery, user::UserQuery};
use crate::http::{
    caller::{Caller, authenticate},
    error::ApiError,
    json,
};

/// Fields in one another; of a query for the schema alone, the standard one is 15 deep.
const DEPTH_MAX: usize = 12;
const INTROSPECTION_DEPTH_MAX: usize = 20;
/// Fields, times the rows of the lists that they are in.
const COMPLEXITY_MAX: usize = 5_000;
/// Queries in one request.
const BATCH_MAX: usize = 10;
/// Rows of a list.
const FIRST_MAX: i32 = 100;

/// The root: one part for each type.
#[derive(MergedObject, Default)]
pub(crate) struct Query(UserQuery, StrategyQuery, BacktestQuery);

type ReadSchema = Schema<Query, EmptyMutation, EmptySubscription>;

/// Answers queries.
pub(crate) struct GraphQl {
    data: ReadSchema,
    introspection: ReadSchema,
}

impl GraphQl {
    pub(crate) fn new() -> Self {
        let schema = |depth: usize| {
            Schema::build(Query::default(), EmptyMutation, EmptySubscription)
                .limit_depth(depth)
                .limit_complexity(COMPLEXITY_MAX)
                .limit_directives(10)
                .finish()
        };
        Self { data: schema(DEPTH_MAX), introspection: schema(INTROSPECTION_DEPTH_MAX) }
    }

    /// The schema, as it is published.
    #[cfg(test)]
    pub(crate) fn sdl(&self) -> String {
        self.data.sdl()
    }

    async fn execute(
        &self,
        mut request: async_graphql::Request,
        caller: &Arc<Caller>,
    ) -> async_graphql::Response {
        let is_introspection = match limits::check(&mut request) {
            Ok(document) => asks_for_schema_only(document),
            Err(refused) => return async_graphql::Response::from_errors(vec![refused]),
        };
        let strategies = loaders::StrategyLoader(Arc::clone(caller));
        let trades = loaders::TradeLoader(Arc::clone(caller));
        let progress = loaders::ProgressLoader(Arc::clone(caller));
        let request = request
            .data(Arc::clone(caller))
            .data(DataLoader::new(strategies, tokio::spawn))
            .data(DataLoader::new(trades, tokio::spawn))
            .data(DataLoader::new(progress, tokio::spawn));
        if is_introspection {
            self.introspection.execute(request.only_introspection()).await
        } else {
            self.data.execute(request).await
        }
    }

    async fn answer(&self, mut request: Request) -> Result<Response, ApiError> {
        let caller = Arc::new(authenticate(&request).await?);
        let batch = read(&mut request, caller.api.options.body_bytes_max).await?;
        let wants_graphql = request
            .headers()
            .get("accept")
            .and_then(|accept| accept.to_str().ok())
            .is_some_and(|accept| accept.contains("application/graphql-response+json"));
        let body = match batch {
            BatchRequest::Single(request) => {
                serde_json::to_string(&self.execute(request, &caller).await)
            }
            BatchRequest::Batch(requests) if requests.len() <= BATCH_MAX => {
                let mut responses = Vec::with_capacity(requests.len());
                for request in requests {
                    responses.push(self.execute(request, &caller).await);
                }
                serde_json::to_string(&responses)
            }
            BatchRequest::Batch(_) => {
                let message = format!("A batch may hold at most {BATCH_MAX} queries.");
                return Err(ApiError::invalid_field("", message));
            }
        };
        let content_type =
            if wants_graphql { "application/graphql-response+json" } else { "application/json" };
        let response = Response::builder().content_type(content_type);
        let response = response.header("cache-control", "private, no-store");
        Ok(response.body(body.map_err(ApiError::internal)?))
    }
}

/// Its endpoint.
pub(crate) struct GraphQlEndpoint(pub(crate) Arc<GraphQl>);

impl Endpoint for GraphQlEndpoint {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        Ok(self.0.answer(request).await?)
    }
}

async fn read(request: &mut Request, bytes_max: usize) -> Result<BatchRequest, ApiError> {
    let malformed = |_| ApiError::malformed("The GraphQL request cannot be read.");
    if request.method() == Method::GET {
        let query = request.uri().query().unwrap_or_default();
        let parsed = async_graphql::http::parse_query_string(query).map_err(malformed)?;
        return Ok(BatchRequest::Single(parsed));
    }
    let body = request.take_body();
    let bytes = json::read_bytes(request.headers(), body, bytes_max).await?;
    serde_json::from_slice(&bytes).map_err(|error| {
        ApiError::malformed(format!("The body is not a GraphQL request: {error}."))
    })
}

/// Whether the query asks for `__schema` and `__type` and nothing else.
fn asks_for_schema_only(document: &ExecutableDocument) -> bool {
    let mut roots = document
        .operations
        .iter()
        .flat_map(|(_, operation)| &operation.node.selection_set.node.items);
    roots.all(|root| match &root.node {
        Selection::Field(field) => field.node.name.node.starts_with("__"),
        Selection::FragmentSpread(_) | Selection::InlineFragment(_) => false,
    })
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

/// How many rows, from 1 to [`FIRST_MAX`].
fn limit(first: i32) -> async_graphql::Result<i64> {
    if (1..=FIRST_MAX).contains(&first) {
        return Ok(i64::from(first));
    }
    let message = format!("`first` must lie between 1 and {FIRST_MAX}.");
    Err(refusal(ApiError::invalid_field("first", message)))
}

/// The complexity of a list: at most one more than is allowed, so that sums of them do not overflow.
fn list_complexity(first: i32, child: usize) -> usize {
    let rows = usize::try_from(first).unwrap_or(usize::MAX);
    rows.saturating_mul(child.saturating_add(1)).min(COMPLEXITY_MAX + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::assert_published;

    #[test]
    fn the_schema_is_the_published_one() {
        assert_published("schema.graphql", &GraphQl::new().sdl());
    }

    #[test]
    fn the_complexity_of_lists_in_lists_does_not_overflow() {
        let inner = list_complexity(i32::MAX, list_complexity(i32::MAX, 2));
        assert_eq!(list_complexity(-1, inner + inner), COMPLEXITY_MAX + 1);
        assert_eq!(list_complexity(10, 4), 50);
    }

    #[test]
    fn a_query_for_the_schema_alone_is_known() {
        let is_known = |query: &str| {
            let document = async_graphql::parser::parse_query(query).unwrap();
            asks_for_schema_only(&document)
        };
        assert!(is_known("{ __schema { types { name } } __typename }"));
        assert!(!is_known("{ __schema { types { name } } me { id } }"));
    }
}
