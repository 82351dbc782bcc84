//! Errors of an input, field by field and all at once.

use serde::Serialize;

use crate::error_code::ErrorCode;

/// One thing that is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// The field as a path: `entry_rules.conditions[0].indicator`.
    pub field: String,
    /// A stable word for programs.
    pub code: ErrorCode,
    /// A sentence for people.
    pub message: String,
}

impl FieldError {
    /// An error of kind `code` at `field`.
    pub fn new(field: impl Into<String>, code: ErrorCode, message: impl Into<String>) -> Self {
        Self { field: field.into(), code, message: message.into() }
    }
}
