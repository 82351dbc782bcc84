//! The event store against a real server.

mod schema;
