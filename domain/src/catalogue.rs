//! Events with the JSON Schema of their payloads, generated from the types: the contract with external consumers.

use std::collections::BTreeSet;

use cqrs_es::Aggregate;
use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value};

/// One event in its current version.
#[derive(Debug, Clone, PartialEq)]
pub struct CatalogueEntry {
    pub aggregate_type: &'static str,
    /// `StrategyCreated`
    pub event_type: String,
    /// What it records.
    pub description: String,
    /// JSON Schema (draft 2020-12) of the payload, complete in itself.
    pub schema: Value,
}

/// The events of one aggregate.
pub(crate) fn of<A: Aggregate<Event: JsonSchema>>() -> Vec<CatalogueEntry> {
    // As payloads are written: what is always there is required.
    let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let all = generator.into_root_schema_for::<A::Event>().to_value();
    let variants = all["oneOf"].as_array().into_iter().flatten();
    variants.map(|variant| entry(A::TYPE, variant, &all)).collect()
}

fn entry(aggregate_type: &'static str, variant: &Value, all: &Value) -> CatalogueEntry {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let event_type = text(&variant["properties"]["type"]["const"]);
    let mut names = BTreeSet::new();
    collect(variant, &all["$defs"], &mut names);
    let definitions: Map<String, Value> =
        names.into_iter().map(|name| (name.clone(), all["$defs"][&name].clone())).collect();
    let mut schema = variant.clone();
    schema["$schema"] = all["$schema"].clone();
    schema["title"] = event_type.clone().into();
    if !definitions.is_empty() {
        schema["$defs"] = definitions.into();
    }
    CatalogueEntry {
        aggregate_type,
        description: text(&variant["description"]),
        event_type,
        schema,
    }
}

/// The names of the definitions that a schema refers to, directly or through others.
fn collect(schema: &Value, definitions: &Value, names: &mut BTreeSet<String>) {
    match schema {
        Value::Object(members) => {
            let reference = members.get("$ref").and_then(Value::as_str);
            let name = reference.and_then(|reference| reference.strip_prefix("#/$defs/"));
            if let Some(name) = name
                && names.insert(name.to_owned())
            {
                collect(&definitions[name], definitions, names);
            }
            members.values().for_each(|member| collect(member, definitions, names));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, definitions, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregates;

    #[test]
    fn every_entry_describes_itself_and_is_complete() {
        let entries = aggregates::catalogue();
        assert_eq!(entries.len(), 29);
        for entry in entries {
            assert!(!entry.description.is_empty(), "{} says nothing", entry.event_type);
            assert_eq!(entry.schema["properties"]["type"]["const"], *entry.event_type);
            let mut names = BTreeSet::new();
            collect(&entry.schema, &entry.schema["$defs"], &mut names);
            for name in names {
                assert!(entry.schema["$defs"][&name].is_object(), "{name}");
            }
        }
    }
}
