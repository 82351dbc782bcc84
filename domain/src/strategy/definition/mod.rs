//! A strategy's definition as it is stored and pinned: a built-in by name or rules, config, default parameters.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    builtins::{self, Builtin},
    parameters,
    rules::RuleSet,
    validation,
};
use crate::{fields::FieldError, number::Number, simulation::rules::BoundStrategy};

/// What a strategy does, in the wire's shape; made by [`StrategyDefinition::parse`] alone, so it is valid.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// In canonical names (aliases are resolved); all of them for a built-in.
    #[serde(default)]
    pub default_parameters: BTreeMap<String, Number>,
}

impl StrategyDefinition {
    /// Reads the definition's fields out of a strategy body (other fields are ignored).
    ///
    /// # Errors
    /// Every field error at once.
    pub fn parse(body: &Map<String, Value>) -> Result<Self, Vec<FieldError>> {
        let reading = validation::read(body);
        if reading.errors.is_empty() { Ok(reading.definition) } else { Err(reading.errors) }
    }

    /// The definition of a built-in with its own defaults.
    #[must_use]
    pub fn of_builtin(builtin: &Builtin) -> Self {
        Self {
            code_ref: Some(builtin.name.to_owned()),
            default_parameters: parameters::defaults_of(builtin),
            ..Self::default()
        }
    }

    /// `code` for a built-in by name, `rules` for rules.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        if self.code_ref.is_some() { "code" } else { "rules" }
    }

    /// The default parameters with `parameters` over them, in canonical names.
    ///
    /// # Errors
    /// Unknown names (with the nearest known one) and out-of-range values, as `parameters.<name>`.
    pub fn merge_parameters(
        &self,
        parameters: &BTreeMap<String, Number>,
    ) -> Result<BTreeMap<String, Number>, Vec<FieldError>> {
        let builtin = self.code_ref.as_deref().and_then(builtins::find);
        let mut errors = Vec::new();
        let merged = parameters::merge(
            builtin,
            &self.default_parameters,
            parameters,
            "parameters",
            &mut errors,
        );
        if errors.is_empty() {
            self.bind(&merged)?;
            return Ok(merged);
        }
        Err(errors)
    }

    /// The typed rules with these parameters (as [`Self::merge_parameters`] gave them) in place.
    ///
    /// # Errors
    /// Arguments that the parameters put out of range.
    pub fn bind(
        &self,
        parameters: &BTreeMap<String, Number>,
    ) -> Result<BoundStrategy, Vec<FieldError>> {
        let mut errors = Vec::new();
        let bound = RuleSet::read(self, &mut errors, &mut Vec::new())
            .and_then(|rules| rules.bind(parameters, "parameters", &mut errors));
        match bound {
            Some(bound) if errors.is_empty() => Ok(bound),
            Some(_) | None => Err(errors),
        }
    }
}
