//! The types of the schema, one file each.

pub(crate) mod backtest;
pub(crate) mod metrics;
pub(crate) mod strategy;
pub(crate) mod trade;
pub(crate) mod user;
