//! Sweeps: many runs of one strategy over a space of parameters, from request to winners.

pub mod aggregate;
pub mod commands;
pub mod events;
pub mod upcasters;

pub use aggregate::{LiveSweep, Sweep};
pub use commands::SweepCommand;
pub use events::{SweepCompletion, SweepEvent, SweepRequest};

#[cfg(test)]
mod tests;
