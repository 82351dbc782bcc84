//! What every endpoint shares: who sends a request, what is in it, and the shape of the response.

pub(crate) mod auth;
pub(crate) mod brackets;
pub(crate) mod caller;
pub(crate) mod compression;
pub(crate) mod conditional;
pub(crate) mod context;
pub(crate) mod cors;
pub(crate) mod cursor;
pub(crate) mod envelope;
pub(crate) mod error;
pub(crate) mod fields;
pub(crate) mod idempotency;
pub(crate) mod json;
pub(crate) mod links;
pub(crate) mod middleware;
pub(crate) mod min_position;
pub(crate) mod openapi;
pub(crate) mod paging;
pub(crate) mod query;
pub(crate) mod read_your_writes;
pub(crate) mod request_key;
pub(crate) mod response;
pub(crate) mod sparse_fields;
pub(crate) mod values;
