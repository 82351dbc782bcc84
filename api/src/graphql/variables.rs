//! What a query needs of its variables before it is executed: no text with a NUL, and a value for each that has to have one.

use async_graphql::{
    Pos, ServerError, Value, Variables,
    parser::types::{DocumentOperations, ExecutableDocument, OperationDefinition},
};
use domain::error_code::ErrorCode;

use super::error::refused;

/// Refuses strings with NUL characters, which no text in PostgreSQL can have.
pub(super) fn check_texts(variables: &Variables) -> Result<(), ServerError> {
    if variables.values().any(has_nul) { Err(nul(None)) } else { Ok(()) }
}

/// Refuses an operation without a value for a variable whose type excludes null.
pub(super) fn check_presence(
    document: &ExecutableDocument,
    operation_name: Option<&str>,
    variables: &Variables,
) -> Result<(), ServerError> {
    // Which operation is meant is checked by the execution.
    let Some(operation) = operation(document, operation_name) else { return Ok(()) };
    for definition in &operation.variable_definitions {
        let (at, definition) = (definition.pos, &definition.node);
        let is_optional = definition.var_type.node.nullable || definition.default_value.is_some();
        let name = &definition.name.node;
        if !is_optional && variables.get(name).is_none_or(|value| *value == Value::Null) {
            let message = format!("Variable `${name}` needs a value.");
            return Err(refused(ErrorCode::ValidationFailed, message, Some(at)));
        }
    }
    Ok(())
}

fn operation<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> Option<&'a OperationDefinition> {
    match (&document.operations, name) {
        (DocumentOperations::Single(operation), _) => Some(&operation.node),
        (DocumentOperations::Multiple(all), Some(name)) => {
            all.get(name).map(|operation| &operation.node)
        }
        (DocumentOperations::Multiple(_), None) => None,
    }
}

/// The refusal of a NUL.
pub(super) fn nul(at: Option<Pos>) -> ServerError {
    refused(ErrorCode::Invalid, "A string must not contain a NUL character.", at)
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::List(values) => values.iter().any(has_nul),
        Value::Object(fields) => fields.values().any(has_nul),
        Value::Null | Value::Number(_) | Value::Boolean(_) | Value::Binary(_) | Value::Enum(_) => {
            false
        }
    }
}
