//! A strategy's definition as it is stored and pinned: a built-in by name or rules, config, default parameters.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::number::Number;

/// What a strategy does, as in the API. Only [`StrategyDefinition::parse`] creates one, so it is valid.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StrategyDefinition {
    /// Canonical name of the built-in (`golden_cross`). `None` for rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_ref: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry_rules: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_rules: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub short_entry_rules: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub short_exit_rules: Option<Value>,
    /// Position sizing, stops and direction, in the units of the API (percent).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<Value>,
    /// By canonical name, with aliases resolved. Complete for a built-in.
    #[serde(default)]
    pub default_parameters: BTreeMap<String, Number>,
}

impl StrategyDefinition {
    /// `code` for a built-in by name, `rules` for rules.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        if self.code_ref.is_some() { "code" } else { "rules" }
    }
}
