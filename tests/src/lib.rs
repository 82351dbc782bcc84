//! Fixtures for everything that needs Postgres or Kafka.

mod app;
mod binary;
mod cluster;
mod contract;
mod data;
mod database;
pub mod kafka;
mod lists;
mod remote;

pub use app::TestApp;
pub use binary::{Backtrail, Served};
pub use cluster::TestCluster;
pub use data::{restless, testdata};
pub use database::TestDatabase;
pub use lists::copy_backtests;
pub use remote::{ANYONE, Remote, Reply, TestUser};
