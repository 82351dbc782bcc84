//! Errors of an input, field by field and all at once.

use serde::{Deserialize, Serialize};

/// One thing that is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// The field as a path: `entry_rules.conditions[0].indicator`.
    pub field: String,
    /// A stable word for programs: `invalid`, `required`, `unknown_indicator`, `unsupported_setting`, …
    pub code: String,
    /// A sentence for people.
    pub message: String,
}

impl FieldError {
    /// An error of kind `code` at `field`.
    pub fn new(field: impl Into<String>, code: &str, message: impl Into<String>) -> Self {
        Self { field: field.into(), code: code.to_owned(), message: message.into() }
    }
}
