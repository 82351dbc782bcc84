//! All that a client sees: REST, GraphQL, errors, sessions.

#[cfg(test)]
mod contract;
mod graphql;
mod http;
mod lookup;
pub mod ops;
mod rest;

use std::{sync::Arc, time::Duration};

use commands::Commands;
use infra::{
    clock::Clock,
    postgres::{
        EventStore,
        accounts::Accounts,
        jobs::JobQueue,
        market_data::{CandleStore, Markets},
    },
};
use poem::{Endpoint, EndpointExt, Response, Route};
use projections::ReadModels;

use crate::{
    http::{middleware, openapi},
    ops::{health::Health, routes},
};

/// Everything that requests need; clones share it.
#[derive(Clone)]
pub struct Context {
    pub commands: Commands,
    pub reads: ReadModels,
    pub store: EventStore,
    pub accounts: Accounts,
    pub candles: CandleStore,
    pub markets: Markets,
    pub jobs: JobQueue,
    pub clock: Clock,
    pub options: Options,
}

/// What can be configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// How long a command waits for the read models that it touches, and a read for `min_position`.
    pub write_wait: Duration,
    /// The largest body that is read.
    pub body_bytes_max: usize,
    /// Runs that one sweep may have.
    pub sweep_combinations_max: usize,
}

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
