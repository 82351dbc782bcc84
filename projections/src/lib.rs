//! The read side: the runner, the read models and what their SQL is made of.

pub mod equity;
mod error;
mod handle;
mod models;
mod read_model;
mod recorded_equity;
mod registry;
pub mod runner;
mod sql;

pub use error::{Behind, Poison, QueryError, UnknownReadModel};
pub use handle::{OnPoison, ReadModels};
pub use models::{
    backtests::{self, metric},
    ledger, run_columns, strategies, strategy_versions, streams,
    sweeps::{self, results as sweep_results},
    trades,
};
pub use registry::NAMES;
pub use runner::{dead_letters, rebuild, status};
pub use sql::page;
