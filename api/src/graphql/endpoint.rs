//! The endpoint: reads requests by POST and GET, bounds them, and executes them for the caller.

use std::sync::Arc;

use async_graphql::{
    BatchRequest,
    dataloader::DataLoader,
    parser::types::{ExecutableDocument, Selection},
};
use poem::{
    Endpoint, Request, Response,
    http::{Method, StatusCode},
};

use super::{
    ReadSchema,
    limits::{self, FIELDS_DEPTH_MAX, INTROSPECTION_DEPTH_MAX},
    loaders,
    reply::Reply,
    schema,
};
use crate::http::{caller::Caller, error::ApiError, json};

/// Queries in one request.
const BATCH_MAX: usize = 10;

/// Executes queries.
pub(crate) struct GraphQl {
    data: ReadSchema,
    introspection: ReadSchema,
}

impl GraphQl {
    pub(crate) fn new() -> Self {
        Self { data: schema(FIELDS_DEPTH_MAX), introspection: schema(INTROSPECTION_DEPTH_MAX) }
    }

    async fn execute(&self, mut request: async_graphql::Request, caller: &Arc<Caller>) -> Reply {
        let is_introspection = match limits::check(&mut request) {
            Ok(document) => asks_for_schema_only(document),
            Err(refused) => return Reply::refused(refused),
        };
        let strategies = loaders::StrategyLoader(Arc::clone(caller));
        let trades = loaders::TradeLoader(Arc::clone(caller));
        let progress = loaders::ProgressLoader(Arc::clone(caller));
        let request = request
            .data(Arc::clone(caller))
            .data(DataLoader::new(strategies, tokio::spawn))
            .data(DataLoader::new(trades, tokio::spawn))
            .data(DataLoader::new(progress, tokio::spawn));
        let response = if is_introspection {
            self.introspection.execute(request.only_introspection()).await
        } else {
            self.data.execute(request).await
        };
        response.into()
    }

    async fn respond(&self, mut request: Request) -> Result<Response, ApiError> {
        let caller = Arc::new(Caller::of(&request).await?);
        let batch = read(&mut request, caller.api.options.body_bytes_max).await?;
        let wants_graphql = request
            .headers()
            .get("accept")
            .and_then(|accept| accept.to_str().ok())
            .is_some_and(|accept| accept.contains("application/graphql-response+json"));
        let mut is_refused = false;
        let body = match batch {
            BatchRequest::Single(request) => {
                let reply = self.execute(request, &caller).await;
                is_refused = reply.is_refused();
                serde_json::to_string(&reply)
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
        // Clients of the older media type take any other status than 200 for a broken connection.
        let status =
            if is_refused && wants_graphql { StatusCode::BAD_REQUEST } else { StatusCode::OK };
        let response = Response::builder().status(status).content_type(content_type);
        let response = response.header("cache-control", "private, no-store");
        Ok(response.body(body.map_err(ApiError::internal)?))
    }
}

/// Its endpoint.
pub(crate) struct GraphQlEndpoint(pub(crate) Arc<GraphQl>);

impl Endpoint for GraphQlEndpoint {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        Ok(self.0.respond(request).await?)
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

#[cfg(test)]
mod tests {
    use super::*;

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
