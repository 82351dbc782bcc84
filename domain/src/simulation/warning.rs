//! A warning about a run: a stable code, and a sentence for people.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Something to keep in mind when reading the result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Warning {
    pub code: String,
    pub message: String,
}

impl Warning {
    /// A warning of kind `code`.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into() }
    }
}
