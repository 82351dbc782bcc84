//! Errors as GraphQL shows them. A field that may be null returns `Option<Result<T>>`: of a `Result<Option<T>>`, async-graphql
//! leaves out the whole field if it fails.

use async_graphql::{ErrorExtensionValues, ErrorExtensions as _, Pos, ServerError};
use domain::error_code::ErrorCode;

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

/// Gives an error a code unless it has one.
pub(super) fn with_code(mut error: ServerError, code: ErrorCode) -> ServerError {
    let extensions = error.extensions.get_or_insert_default();
    if extensions.get("code").is_none() {
        extensions.set("code", code.as_str());
    }
    error
}

/// Refuses a query by a limit: its cost and the limit are in the extensions, too.
pub(super) fn exceeded(
    code: ErrorCode,
    message: impl Into<String>,
    (cost, limit): (usize, usize),
    at: Option<Pos>,
) -> ServerError {
    let mut error = refused(code, message, at);
    let extensions = error.extensions.get_or_insert_default();
    extensions.set("cost", cost);
    extensions.set("limit", limit);
    error
}

/// Refuses a query.
pub(super) fn refused(code: ErrorCode, message: impl Into<String>, at: Option<Pos>) -> ServerError {
    let mut extensions = ErrorExtensionValues::default();
    extensions.set("code", code.as_str());
    let mut error = ServerError::new(message, at);
    error.extensions = Some(extensions);
    error
}
