//! Integration tests, one binary.

mod accounts;
mod executor;
mod market_data;
mod projections;
mod store;
