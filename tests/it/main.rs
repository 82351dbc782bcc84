//! Integration tests, one binary.

mod accounts;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod executor;
mod market_data;
mod projections;
mod store;
