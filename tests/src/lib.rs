//! Fixtures for everything that needs Postgres.

mod app;
mod binary;
mod cluster;
mod database;
mod remote;

pub use app::TestApp;
pub use binary::{Backtrail, Served};
pub use cluster::TestCluster;
pub use database::TestDatabase;
pub use remote::{ANYONE, Remote, Reply, TestUser};
