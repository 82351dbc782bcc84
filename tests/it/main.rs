//! Integration tests, one binary.

mod accounts;
mod commands;
mod executor;
mod graphql;
mod market_data;
#[cfg(test)]
mod projections;
mod rest;
mod server;
#[cfg(test)]
mod store;

/// The binary as users run it.
const BACKTRAIL: &str = env!("CARGO_BIN_EXE_backtrail-under-test");
