//! Strategies: the aggregate, the rule language, the built-ins.

pub mod aggregate;
pub mod builtins;
pub mod commands;
pub mod definition;
pub mod error;
pub mod events;
pub mod language;
pub mod parameters;
pub mod rules;
pub mod slug;
pub mod upcasters;
pub mod validation;

pub use aggregate::{LiveStrategy, Strategy};
pub use builtins::Builtin;
pub use commands::StrategyCommand;
pub use definition::StrategyDefinition;
pub use error::StrategyError;
pub use events::{StrategyContent, StrategyEvent};
pub use slug::slug;
pub use validation::{Validation, validate_strategy};

#[cfg(test)]
mod tests;
