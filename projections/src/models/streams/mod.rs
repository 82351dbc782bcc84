//! Read model: whose each stream of the log is; the event store's filter by owner reads it.

mod fold;

use infra::postgres::event_store::STREAMS_TABLE;

pub(crate) use fold::READ_MODEL;

/// Its permanent name.
pub const NAME: &str = "streams";
/// Another aggregate in the list is another version: an older binary passes over that aggregate's streams.
const TABLE: &str = STREAMS_TABLE;
