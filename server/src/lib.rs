//! The composition root: configuration, telemetry, roles, and the subcommands of the binary.

pub mod app;
pub mod backend;
pub mod cli;
pub mod config;
mod output;
pub mod roles;
mod sample;
mod signals;
mod telemetry;
