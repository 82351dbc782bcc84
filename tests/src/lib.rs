//! Fixtures for everything that needs Postgres.

mod binary;
mod cluster;
mod database;

pub use binary::{Backtrail, Served};
pub use cluster::TestCluster;
pub use database::TestDatabase;
