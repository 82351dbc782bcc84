//! The read models, a folder each: the rows, the fold that makes them, and their queries.

pub mod backtests;
pub mod ledger;
mod ledger_rows;
mod lifecycle_rows;
pub mod run_columns;
pub mod strategies;
pub mod strategy_versions;
pub mod streams;
pub mod sweeps;
pub mod trades;
