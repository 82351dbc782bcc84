//! Parameters of a strategy: names with aliases, defaults, overrides, ranges.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{
    builtins::{Builtin, NumberKind},
    language::{
        rules::kind,
        suggest::{did_you_mean, shown},
    },
};
use crate::{error_code::ErrorCode, fields::FieldError, number::Number};

/// Parameters by name.
pub type Parameters = BTreeMap<String, Number>;

/// Parameters of one strategy.
const PARAMETERS_MAX: usize = 50;
/// Bytes of one name.
const NAME_LENGTH_MAX: usize = 50;

/// Reads an object of numbers (texts of numbers count) that stands at `field`; absent and null are empty.
pub fn read(field: &str, value: Option<&Value>, errors: &mut Vec<FieldError>) -> Parameters {
    let members = match value {
        None | Some(Value::Null) => return Parameters::new(),
        Some(Value::Object(members)) => members,
        Some(other) => {
            let message = format!("this is {}, not an object", kind(other));
            errors.push(FieldError::new(field, ErrorCode::Invalid, message));
            return Parameters::new();
        }
    };
    if members.len() > PARAMETERS_MAX {
        let message = format!("there are more than {PARAMETERS_MAX} parameters");
        errors.push(FieldError::new(field, ErrorCode::TooManyParameters, message));
        return Parameters::new();
    }
    read_members(field, members, errors)
}

fn read_members(
    field: &str,
    members: &Map<String, Value>,
    errors: &mut Vec<FieldError>,
) -> Parameters {
    let mut parameters = Parameters::new();
    for (name, value) in members {
        let path = format!("{field}.{}", shown(name));
        if !is_name(name) {
            let message = "a name has letters, digits and `_`, and begins with no digit";
            errors.push(FieldError::new(path, ErrorCode::Invalid, message));
            continue;
        }
        let number = match value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse().ok(),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        };
        match number.and_then(Number::try_new) {
            Some(number) => {
                parameters.insert(name.clone(), number);
            }
            None => {
                let message = format!("this is {}, not a finite number", kind(value));
                errors.push(FieldError::new(path, ErrorCode::Invalid, message));
            }
        }
    }
    parameters
}

/// `defaults` with `given` over them, in canonical names; checked against the built-in's schema, if
/// there is one. Unknown names and bad values are reported below `field`.
pub fn merge(
    builtin: Option<&Builtin>,
    defaults: &Parameters,
    given: &Parameters,
    field: &str,
    errors: &mut Vec<FieldError>,
) -> Parameters {
    let mut merged = defaults.clone();
    let mut seen: BTreeMap<&str, (&str, Number)> = BTreeMap::new();
    for (name, number) in given {
        let path = format!("{field}.{}", shown(name));
        let canonical = match builtin {
            Some(builtin) => builtin.parameter(name).map(|parameter| parameter.name),
            None => defaults.get_key_value(name).map(|(known, _)| known.as_str()),
        };
        let Some(canonical) = canonical else {
            errors.push(unknown(path, name, defaults));
            continue;
        };
        match seen.insert(canonical, (name, *number)) {
            Some((other, before)) if before != *number => {
                let message = format!("`{name}` and `{other}` are the same parameter");
                errors.push(FieldError::new(path.clone(), ErrorCode::Conflict, message));
            }
            Some(_) | None => {}
        }
        if let Some(message) = builtin.and_then(|builtin| out_of_range(builtin, name, *number)) {
            errors.push(FieldError::new(path, ErrorCode::OutOfRange, message));
        }
        merged.insert(canonical.to_owned(), *number);
    }
    if let Some(builtin) = builtin {
        check_ascending(builtin, &merged, field, errors);
    }
    merged
}

/// The defaults of a built-in's schema.
#[must_use]
pub fn defaults_of(builtin: &Builtin) -> Parameters {
    let pairs = builtin.parameters.iter().filter_map(|parameter| {
        Some((parameter.name.to_owned(), Number::try_new(parameter.default)?))
    });
    pairs.collect()
}

/// That there is no such parameter, with the nearest one or all that there are.
pub(crate) fn unknown(field: String, name: &str, defaults: &Parameters) -> FieldError {
    let near = match did_you_mean(name, defaults.keys().map(String::as_str)) {
        near if !near.is_empty() => near,
        _ if defaults.is_empty() => "; this strategy has none".to_owned(),
        _ => {
            let all: Vec<_> = defaults.keys().map(String::as_str).collect();
            format!("; there are {}", all.join(", "))
        }
    };
    let message = format!("there is no parameter `{}`{near}", shown(name));
    FieldError::new(field, ErrorCode::UnknownParameter, message)
}

fn out_of_range(builtin: &Builtin, name: &str, number: Number) -> Option<String> {
    let parameter = builtin.parameter(name)?;
    let value = number.get();
    let what = match parameter.kind {
        NumberKind::Integer if value.fract() != 0.0 => "a whole number",
        _ if value < parameter.minimum || value > parameter.maximum => match parameter.kind {
            NumberKind::Integer => "a whole number",
            NumberKind::Number => "a number",
        },
        NumberKind::Integer | NumberKind::Number => return None,
    };
    Some(format!(
        "{} is {what} from {} to {}, not {value}",
        parameter.name, parameter.minimum, parameter.maximum
    ))
}

fn check_ascending(
    builtin: &Builtin,
    merged: &Parameters,
    field: &str,
    errors: &mut Vec<FieldError>,
) {
    for (lower, upper) in builtin.ascending {
        let (Some(low), Some(high)) = (merged.get(*lower), merged.get(*upper)) else { continue };
        if low >= high {
            let message =
                format!("{lower} must be below {upper}, not {} and {}", low.get(), high.get());
            errors.push(FieldError::new(
                format!("{field}.{lower}"),
                ErrorCode::OutOfRange,
                message,
            ));
        }
    }
}

fn is_name(name: &str) -> bool {
    let mut letters = name.bytes();
    name.len() <= NAME_LENGTH_MAX
        && letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == b'_')
}
