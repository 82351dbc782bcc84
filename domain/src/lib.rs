//! The pure core: ids, markets, aggregates, the strategy language and the simulation; no I/O, no clock, no randomness.

pub mod access;
pub mod aggregates;
pub mod backtest;
pub mod catalogue;
pub mod dataset;
pub mod decimals;
pub mod error_code;
pub mod event;
pub mod fields;
pub mod ids;
pub mod job;
pub mod ledger;
pub mod market;
pub mod market_names;
pub mod number;
pub mod request_time;
pub mod run_spec;
pub mod simulation;
pub mod strategy;
pub mod sweep;
pub mod upcasting;
