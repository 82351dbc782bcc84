//! What operators see at the root of every process: health and metrics.

pub mod health;
pub mod metrics;
pub mod routes;
