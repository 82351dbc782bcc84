//! What every endpoint shares: who asks, what came, how it is answered.

pub(crate) mod caller;
pub(crate) mod error;
pub(crate) mod fields;
pub(crate) mod json;
pub(crate) mod links;
pub(crate) mod middleware;
pub(crate) mod openapi;
pub(crate) mod query;
pub(crate) mod read_your_writes;
pub(crate) mod response;
pub(crate) mod sparse_fields;
pub(crate) mod values;
