//! The rule language: text and JSON become typed rules, and rules with parameters become what the engine evaluates.
//!
//! Two phases. Reading ([`rules::read`]) checks shape, words and names and keeps `$parameters`; binding
//! ([`bind::bind`]) puts numbers in their place and checks ranges. Both report everything by field path.

pub mod bind;
pub mod comparators;
pub mod config;
pub mod constraint;
pub mod doubts;
pub mod expression;
mod meant;
mod resolve;
pub mod rules;
pub mod suggest;
mod syntax;
#[cfg(test)]
mod tests;

use crate::error_code::ErrorCode;
pub use expression::Expression;
pub use resolve::parse;

/// Bytes of one expression.
pub const EXPRESSION_LENGTH_MAX: usize = 500;
/// Parentheses within parentheses, calls included.
pub const EXPRESSION_DEPTH_MAX: u32 = 32;
/// Candles that one lag may look back, sums of lags of lags included.
pub const LAG_MAX: usize = 10_000;
/// Groups within groups.
pub const GROUP_DEPTH_MAX: usize = 16;
/// Different indicator calls of one strategy.
pub const CALLS_MAX: usize = 100;
/// Conditions and groups of one rule set.
pub const CONDITIONS_MAX: usize = 200;

/// What is wrong with a piece of text, before it is known at which field it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// A stable word for programs.
    pub code: ErrorCode,
    /// A sentence for people.
    pub message: String,
}

impl Fault {
    fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}
