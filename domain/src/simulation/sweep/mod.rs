//! Sweeps: many runs of one strategy over a space of parameters, which share candles and indicator columns.

mod columns;
pub mod heat_map;
mod parametric_strategy;
mod parse;
pub mod row;
mod run;
pub mod space;
pub mod spec;
pub mod walk_forward;

#[cfg(test)]
mod tests;

pub use parametric_strategy::ParametricStrategy;
pub use row::{Figures, Row, RowError, RowResult, ranking, rows_hash};
pub use run::{CancelToken, Cancelled, PreparedSweep, RowInput};
pub use space::combinations;
pub use spec::{Axis, Goal, Mode, Objective, Search, Spec, WalkForward};
pub use walk_forward::{TooFewCandles, WalkForwardResult, Window};
