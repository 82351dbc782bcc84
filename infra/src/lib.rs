//! Adapters to the outside world: PostgreSQL, Kafka, files, the clock.

pub mod clock;
pub mod files;
pub mod kafka;
pub mod pace;
pub mod postgres;
pub mod process;
pub mod telemetry;
