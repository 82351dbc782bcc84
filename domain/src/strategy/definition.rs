//! A strategy's definition as it is stored and pinned: a built-in by name or rules, config, default parameters.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{fields::FieldError, number::Number, simulation::rules::BoundStrategy};

/// What a strategy does, in the wire's shape; made by [`StrategyDefinition::parse`] alone, so it is valid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StrategyDefinition {
    /// The built-in's name in canonical spelling (`golden_cross`); none for rules.
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
    /// Sizing, stops, direction, in the wire's units (percent).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<Value>,
    /// In canonical names (aliases are resolved).
    #[serde(default)]
    pub default_parameters: BTreeMap<String, Number>,
}

impl StrategyDefinition {
    /// Reads the definition's fields out of a strategy body (other fields are ignored).
    ///
    /// # Errors
    /// Every field error at once.
    pub fn parse(_body: &serde_json::Map<String, Value>) -> Result<Self, Vec<FieldError>> {
        todo!()
    }

    /// The default parameters with `parameters` over them, in canonical names.
    ///
    /// # Errors
    /// Unknown names (with the nearest known one) and out-of-range values, as `parameters.<name>`.
    pub fn merge_parameters(
        &self,
        _parameters: &BTreeMap<String, Number>,
    ) -> Result<BTreeMap<String, Number>, Vec<FieldError>> {
        todo!()
    }

    /// The typed rules with these parameters (as [`Self::merge_parameters`] gave them) in place.
    ///
    /// # Errors
    /// Arguments that the parameters put out of range.
    pub fn bind(
        &self,
        _parameters: &BTreeMap<String, Number>,
    ) -> Result<BoundStrategy, Vec<FieldError>> {
        todo!()
    }
}
