//! Errors as GraphQL shows them.

use async_graphql::ErrorExtensions as _;

use crate::http::error::ApiError;

/// Converts an error into a GraphQL one; an internal one is logged and not shown.
pub(super) fn refusal(error: impl Into<ApiError>) -> async_graphql::Error {
    let error = error.into();
    error.log();
    let code = error.code();
    async_graphql::Error::new(error.message()).extend_with(|_, extensions| {
        extensions.set("code", code.as_str());
    })
}
