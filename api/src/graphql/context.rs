//! What the endpoint hands to every resolver.

use std::sync::Arc;

use crate::http::caller::Caller;

/// Returns the caller of the query.
///
/// # Errors
/// If the endpoint did not add one.
pub(super) fn caller<'a>(
    context: &async_graphql::Context<'a>,
) -> async_graphql::Result<&'a Arc<Caller>> {
    context.data::<Arc<Caller>>()
}
