//! Checks a strategy body: reports every error and warning at once, and the length of its warm-up.

use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    builtins::{self, Builtin},
    definition::StrategyDefinition,
    language::rules::kind,
    parameters,
    rules::StrategyRules,
};
use crate::{
    error_code::ErrorCode, fields::FieldError, number::Number, simulation::rules::BoundStrategy,
};

/// What is to be said about a strategy body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Validation {
    pub valid: bool,
    pub errors: Vec<FieldError>,
    pub warnings: Vec<FieldError>,
    /// Candles before the first one on which rules are evaluated; `None` if the strategy is not valid.
    pub warmup_candles: Option<usize>,
}

/// Checks the definition in a strategy body (its other fields are ignored).
#[must_use]
pub fn validate_strategy(body: &Map<String, Value>) -> Validation {
    let Reading { bound, errors, warnings, .. } = read(body);
    let bound = bound.filter(|_| errors.is_empty());
    Validation {
        valid: errors.is_empty(),
        errors,
        warnings,
        warmup_candles: bound.map(|bound| bound.first_defined() + 1),
    }
}

impl StrategyDefinition {
    /// Reads the definition's fields out of a strategy body (other fields are ignored).
    ///
    /// # Errors
    /// Every field error at once.
    pub fn parse(body: &Map<String, Value>) -> Result<Self, Vec<FieldError>> {
        let reading = read(body);
        if reading.errors.is_empty() { Ok(reading.definition) } else { Err(reading.errors) }
    }

    /// Returns the warnings that [`validate_strategy`] gives for this definition.
    #[must_use]
    pub fn warnings(&self) -> Vec<FieldError> {
        let (mut errors, mut warnings) = (Vec::new(), Vec::new());
        let rules = StrategyRules::read(self, &mut errors, &mut warnings);
        if let Some(rules) = rules.filter(|_| errors.is_empty()) {
            warnings.extend(doubts(&rules, self));
        }
        warnings
    }
}

/// A definition that was read; it is sound when there are no errors.
struct Reading {
    definition: StrategyDefinition,
    bound: Option<BoundStrategy>,
    errors: Vec<FieldError>,
    warnings: Vec<FieldError>,
}

/// Reads the definition's fields out of a strategy body.
fn read(body: &Map<String, Value>) -> Reading {
    let mut errors = Vec::new();
    let mut warnings = Vec::new();
    let field = |name: &str| body.get(name).filter(|value| !value.is_null()).cloned();
    let mut definition = StrategyDefinition {
        code_ref: None,
        entry_rules: field("entry_rules"),
        exit_rules: field("exit_rules"),
        short_entry_rules: field("short_entry_rules"),
        short_exit_rules: field("short_exit_rules"),
        config: field("config"),
        default_parameters: parameters::read(
            "default_parameters",
            body.get("default_parameters"),
            &mut errors,
        ),
    };
    let builtin = read_code_ref(body, &mut definition, &mut errors);
    let rules = StrategyRules::read(&definition, &mut errors, &mut warnings);
    if let Some(builtin) = builtin {
        definition.default_parameters = parameters::merge(
            Some(builtin),
            &parameters::defaults_of(builtin),
            &definition.default_parameters,
            "default_parameters",
            &mut errors,
        );
    }
    let bound = rules.as_ref().and_then(|rules| {
        rules.bind(&definition.default_parameters, "default_parameters", &mut errors)
    });
    if let Some(rules) = rules.filter(|_| errors.is_empty()) {
        warnings.extend(doubts(&rules, &definition));
        canonicalize(&mut definition);
    }
    Reading { definition, bound, errors, warnings }
}

/// What a sound definition probably does not mean.
fn doubts(rules: &StrategyRules, definition: &StrategyDefinition) -> Vec<FieldError> {
    // The rules of a built-in are not the user's to correct.
    let mut warnings = match definition.code_ref {
        Some(_) => Vec::new(),
        None => rules.doubts(&definition.default_parameters),
    };
    warn_unused(rules, definition, &mut warnings);
    warnings
}

/// Either `code_ref` or rules, never both, never neither.
fn read_code_ref(
    body: &Map<String, Value>,
    definition: &mut StrategyDefinition,
    errors: &mut Vec<FieldError>,
) -> Option<&'static Builtin> {
    let has_rules = [
        &definition.entry_rules,
        &definition.exit_rules,
        &definition.short_entry_rules,
        &definition.short_exit_rules,
    ]
    .into_iter()
    .any(Option::is_some);
    let code_ref = match body.get("code_ref") {
        None | Some(Value::Null) => {
            if definition.entry_rules.is_none() {
                let message = if has_rules {
                    "a strategy of rules has entry_rules"
                } else {
                    "a strategy has either a code_ref or entry_rules"
                };
                errors.push(FieldError::new("entry_rules", ErrorCode::Required, message));
            }
            return None;
        }
        Some(Value::String(code_ref)) => code_ref,
        Some(other) => {
            let message = format!("this is {}, not a string", kind(other));
            errors.push(FieldError::new("code_ref", ErrorCode::Invalid, message));
            return None;
        }
    };
    if has_rules {
        let message = "a strategy has either a code_ref or rules, not both";
        errors.push(FieldError::new("code_ref", ErrorCode::Conflict, message));
    }
    let builtin = builtins::find(code_ref);
    match builtin {
        Some(builtin) if !has_rules => definition.code_ref = Some(builtin.name.to_owned()),
        Some(_) => return None,
        None => errors.push(builtins::unknown(code_ref)),
    }
    builtin
}

fn warn_unused(
    rules: &StrategyRules,
    definition: &StrategyDefinition,
    warnings: &mut Vec<FieldError>,
) {
    let used = rules.used_parameters();
    for name in definition.default_parameters.keys() {
        if !used.contains(name.as_str()) {
            let field = format!("default_parameters.{name}");
            let message = format!("no rule uses `${name}`");
            warnings.push(FieldError::new(field, ErrorCode::UnusedParameter, message));
        }
    }
}

/// The same content in the same JSON: no nulls, `50` for `50.0`, no empty config.
fn canonicalize(definition: &mut StrategyDefinition) {
    let values = [
        &mut definition.entry_rules,
        &mut definition.exit_rules,
        &mut definition.short_entry_rules,
        &mut definition.short_exit_rules,
        &mut definition.config,
    ];
    values.into_iter().flatten().for_each(canonicalize_value);
    if definition.config.as_ref().and_then(Value::as_object).is_some_and(Map::is_empty) {
        definition.config = None;
    }
}

/// Rules that were read are nested a few levels only.
fn canonicalize_value(value: &mut Value) {
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => {}
        Value::Number(number) => {
            let integer = number.as_f64().and_then(Number::try_new).and_then(Number::as_integer);
            if let Some(integer) = integer {
                *value = Value::from(integer);
            }
        }
        Value::Array(list) => list.iter_mut().for_each(canonicalize_value),
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(canonicalize_value);
        }
    }
}
