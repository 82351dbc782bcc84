//! Strategies: the aggregate, the rule language, the built-ins.

pub mod aggregate;
pub mod commands;
pub mod definition;
pub mod error;
pub mod events;

pub use aggregate::{LiveStrategy, Strategy};
pub use commands::StrategyCommand;
pub use definition::StrategyDefinition;
pub use error::StrategyError;
pub use events::{StrategyContent, StrategyEvent};
