//! Integration tests, one binary.

#[cfg(test)]
mod accounts;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod executor;
#[cfg(test)]
mod graphql;
#[cfg(test)]
mod http;
#[cfg(test)]
mod kafka;
#[cfg(test)]
mod leaders;
#[cfg(test)]
mod market_data;
#[cfg(test)]
mod projections;
#[cfg(test)]
mod rest;
#[cfg(test)]
mod server;
#[cfg(test)]
mod store;

/// The binary as users run it.
const BACKTRAIL: &str = env!("CARGO_BIN_EXE_backtrail-under-test");
