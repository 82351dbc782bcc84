//! Fixtures for everything that needs Postgres.

mod app;
mod binary;
mod cluster;
mod database;

pub use app::{ANYONE, Reply, TestApp, TestUser};
pub use binary::{Backtrail, Served};
pub use cluster::TestCluster;
pub use database::TestDatabase;
