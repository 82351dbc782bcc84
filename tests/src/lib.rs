//! Fixtures for everything that needs Postgres.

mod cluster;
mod database;

pub use cluster::TestCluster;
pub use database::TestDatabase;
