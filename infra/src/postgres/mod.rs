//! PostgreSQL: the event store, the queue of jobs, market data, accounts; all SQL except that of the read models.

pub mod accounts;
pub mod database;
pub mod dead_letters;
pub mod embedded;
pub mod event_store;
mod inspect;
pub mod jobs;
pub mod leaders;
pub mod market_data;
mod migrations;
pub mod reaper;
pub mod relays;
pub mod request_keys;
pub mod sweep_results;

pub use database::{Database, DatabaseError};
pub use event_store::EventStore;
pub use inspect::{Inspection, inspect};
pub use migrations::migrate;
