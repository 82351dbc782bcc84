//! What every schema of the document says: which fields may be null, what texts mean, which codes there are, what bodies refuse.

use std::collections::BTreeSet;

use domain::{
    error_code::{ErrorCode, Scope},
    simulation::metrics::{Metrics, description},
};
use serde_json::{Map, Value, json};

/// Fields that hold a time, besides those that end in `_at`, `_time` or `_date`.
const TIMES: [&str; 5] = ["timestamp", "time", "start", "bottom", "recovery"];
/// Times of candles, in these schemas.
const RANGES: [&str; 2] = ["Dataset", "CoverageResource"];
const TIMEFRAMES: &[&str] = &["1m", "5m", "15m", "1h", "4h", "1d"];
/// The words that a text of a response can be, by schema and field; `*` is every schema.
const WORDS: &[(&str, &str, &[&str])] = &[
    ("*", "status", &["pending", "running", "completed", "failed", "cancelled"]),
    ("*", "origin", &["user", "automation", "replay", "sweep"]),
    ("*", "timeframe", TIMEFRAMES),
    ("*", "interval", TIMEFRAMES),
    ("Trade", "side", &["long", "short"]),
    ("LedgerEntry", "side", &["buy", "sell"]),
    ("Strategy", "kind", &["code", "rules"]),
    ("StrategyVersion", "kind", &["code", "rules"]),
    ("Asset", "type", &["crypto", "fiat", "equity"]),
    ("MarketResource", "type", &["crypto", "fiat", "equity"]),
    ("SweepObjective", "direction", &["maximize", "minimize"]),
    ("HeatMap", "direction", &["maximize", "minimize"]),
];

/// Matrices in which some cells are null.
const SPARSE: [(&str, &str); 1] = [("HeatMap", "cells")];
/// Bodies whose other fields are not refused by the reader, but by what they become a part of.
const OPEN_BODIES: [&str; 1] = ["StrategyPart"];

/// Completes every schema under `components`.
pub(super) fn complete(document: &mut Value) {
    let bodies = bodies(document);
    let Some(schemas) = document["components"]["schemas"].as_object_mut() else { return };
    for (name, schema) in schemas.iter_mut() {
        let required = required(schema);
        if bodies.contains(name) && !OPEN_BODIES.contains(&name.as_str()) {
            schema["additionalProperties"] = json!(false);
        }
        let Some(fields) = schema.get_mut("properties").and_then(Value::as_object_mut) else {
            continue;
        };
        for (field, schema) in fields.iter_mut() {
            bound(field, schema);
            if name == "Metrics" {
                describe_metric(field, schema);
            }
            if !bodies.contains(name) {
                describe_text(name, field, schema);
            }
            if !required.contains(field) {
                allow_null(schema);
            }
            if SPARSE.contains(&(name.as_str(), field.as_str())) {
                allow_null(innermost_items(schema));
            }
        }
    }
}

/// Says between which numbers an integer lies, where its name or its type tells.
fn bound(field: &str, schema: &mut Value) {
    let is_unsigned = schema["format"].as_str().is_some_and(|format| format.starts_with("uint"));
    let (minimum, maximum) = match field {
        "progress" => (Some(0), Some(100)),
        "number" | "rank" | "page" => (Some(1), None),
        _ if is_unsigned => (Some(0), None),
        _ => (None, None),
    };
    if schema["type"] != "integer" {
        return;
    }
    for (bound, value) in [("minimum", minimum), ("maximum", maximum)] {
        if let Some(value) = value
            && schema[bound].is_null()
        {
            schema[bound] = json!(value);
        }
    }
}

/// Gives a metric its unit and its formula.
fn describe_metric(field: &str, schema: &mut Value) {
    let text = match Metrics::all_names().find(|name| *name == field) {
        Some(name) => description(name),
        None => match field {
            "ambiguous_trades_count" => {
                "A count. Trades with a candle that touched both the stop-loss and the take-profit."
            }
            "final_balance_stop_first" => {
                "Quote money. The final balance if the stop-loss came first in every such candle."
            }
            "final_balance_target_first" => {
                "Quote money. The final balance if the take-profit came first in every such candle."
            }
            "drawdown_periods" => "The deepest drawdowns in chronological order.",
            _ => return,
        }
        .to_owned(),
    };
    schema["description"] = json!(text);
}

/// The names of the schemas that requests send.
fn bodies(document: &Value) -> BTreeSet<String> {
    let operations = document["paths"].as_object().into_iter().flat_map(Map::values);
    let operations = operations.filter_map(Value::as_object).flat_map(Map::values);
    let schemas = operations.filter_map(|operation| {
        operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].as_str()
    });
    schemas.filter_map(|reference| reference.rsplit('/').next()).map(str::to_owned).collect()
}

fn required(schema: &Value) -> BTreeSet<String> {
    let names = schema["required"].as_array().into_iter().flatten();
    names.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Says what a text is, where it is a time, a code or one of few words.
fn describe_text(schema: &str, field: &str, text: &mut Value) {
    if text["type"] != "string" || !text["format"].is_null() {
        return;
    }
    let is_time = ["_at", "_time", "_date"].iter().any(|end| field.ends_with(end))
        || TIMES.contains(&field)
        || (RANGES.contains(&schema) && matches!(field, "first" | "last"));
    if is_time {
        text["format"] = json!("date-time");
    }
    let is_word =
        |(known, name, _): &&(&str, &str, _)| (*known == "*" || *known == schema) && *name == field;
    if let Some((_, _, words)) = WORDS.iter().find(is_word) {
        text["enum"] = json!(words);
    }
    if field == "code"
        && let Some(codes) = codes_of(schema)
    {
        text["description"] = json!(meanings(&codes));
        text["enum"] = json!(codes.iter().map(|code| code.as_str()).collect::<Vec<_>>());
    }
}

/// The codes that the errors of a schema have.
fn codes_of(schema: &str) -> Option<Vec<ErrorCode>> {
    let is_of: fn(Scope) -> bool = match schema {
        "Error" => |scope| matches!(scope, Scope::Request | Scope::Both),
        "ErrorDetail" | "Finding" => |scope| matches!(scope, Scope::Field | Scope::Both),
        "ErrorEntry" => |_| true,
        _ => return None,
    };
    Some(ErrorCode::ALL.iter().copied().filter(|code| is_of(code.scope())).collect())
}

fn meanings(codes: &[ErrorCode]) -> String {
    let lines = codes.iter().map(|code| format!("- `{code}`: {}", code.meaning()));
    let lines: Vec<_> = lines.collect();
    format!("A stable, machine-readable code:\n\n{}", lines.join("\n"))
}

/// The schema of what lists of lists hold.
fn innermost_items(schema: &mut Value) -> &mut Value {
    if schema.get("items").is_some() { innermost_items(&mut schema["items"]) } else { schema }
}

/// Marks a field that is null where it does not apply. What may hold anything may hold null already.
fn allow_null(schema: &mut Value) {
    if let Some(reference) = schema.get("$ref").cloned() {
        *schema = json!({"allOf": [{"$ref": reference}], "nullable": true});
        return;
    }
    if let Some(parts) = schema.get_mut("allOf").and_then(Value::as_array_mut) {
        // A part that only describes would have to allow null, too.
        parts.retain(|part| part.get("$ref").is_some());
        schema["nullable"] = json!(true);
    } else if schema.get("type").is_some() {
        if let Some(words) = schema.get_mut("enum").and_then(Value::as_array_mut) {
            words.push(Value::Null);
        }
        schema["nullable"] = json!(true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_may_be_missing_may_be_null() {
        let mut schema = json!({"$ref": "#/components/schemas/Dataset"});
        allow_null(&mut schema);
        let expected =
            json!({"allOf": [{"$ref": "#/components/schemas/Dataset"}], "nullable": true});
        assert_eq!(schema, expected);
        let mut schema = json!({"type": "string", "enum": ["a"]});
        allow_null(&mut schema);
        assert_eq!(schema, json!({"type": "string", "enum": ["a", null], "nullable": true}));
        let mut schema = json!({"description": "Anything."});
        allow_null(&mut schema);
        assert_eq!(schema, json!({"description": "Anything."}));
    }

    #[test]
    fn texts_are_times_words_or_codes() {
        let of = |schema: &str, field: &str| {
            let mut text = json!({"type": "string"});
            describe_text(schema, field, &mut text);
            text
        };
        assert_eq!(of("Trade", "exit_time")["format"], "date-time");
        assert_eq!(of("Dataset", "first")["format"], "date-time");
        assert_eq!(of("Trade", "side")["enum"], json!(["long", "short"]));
        assert!(of("Trade", "exit_reason").get("enum").is_none());
        let codes = of("ErrorDetail", "code")["enum"].as_array().unwrap().len();
        assert!(codes > 20 && codes < ErrorCode::ALL.len());
    }
}
