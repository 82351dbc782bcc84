//! Integration tests, one binary.

mod accounts;
mod market_data;
mod store;
