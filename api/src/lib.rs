//! All that a client sees: REST, GraphQL, errors, sessions.

mod context;
#[cfg(test)]
mod contract;
mod graphql;
mod http;
mod lookup;
pub mod ops;
mod rest;

pub use context::{Context, Options};
pub use http::cors::Cors;

use std::sync::Arc;

use poem::{Endpoint, EndpointExt, Response, Route};

use crate::{
    http::{middleware, openapi},
    ops::{health::Health, routes},
};

/// The whole HTTP service: REST under `/api/v1` and its alias `/api`, GraphQL, documentation, health.
///
/// # Errors
/// When the API's own document cannot be built.
pub fn endpoint(
    context: Context,
    health: Health,
) -> Result<impl Endpoint<Output = Response> + 'static, serde_json::Error> {
    let context = Arc::new(context);
    let service = rest::service();
    let document = Arc::new(openapi::Document::build(&service)?);
    let graphql = Arc::new(graphql::endpoint::GraphQl::new());
    let graphql = || graphql::endpoint::GraphQlEndpoint(Arc::clone(&graphql));
    let queries = || poem::get(graphql()).post(graphql());
    let routes = routes::add(Route::new())
        .at("/graphql", queries())
        .at("/api/v1/graphql", queries())
        .at("/api/v1/openapi.json", poem::get(openapi::DocumentEndpoint::json(&document)))
        .at("/api/docs", poem::get(openapi::DocumentEndpoint::swagger(&document)))
        .nest("/api/v1", service);
    let routes = routes.data(Arc::clone(&context)).data(Arc::new(health));
    Ok(middleware::Middleware::new(routes, context, document))
}

/// The OpenAPI document, as it is published.
///
/// # Errors
/// When it cannot be built.
pub fn openapi_document() -> Result<String, serde_json::Error> {
    openapi::Document::build(&rest::service()).map(|document| document.text)
}
