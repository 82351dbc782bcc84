//! Adapters to the world: Postgres, files, the clock.

pub mod clock;
pub mod figures;
pub mod files;
pub mod postgres;
pub mod process;
