//! The body of a strategy.

use commands::StrategyDraft;
use domain::{
    error_code::ErrorCode,
    fields::FieldError,
    ids::StrategyId,
    market::Symbol,
    strategy::{LiveStrategy, StrategyContent, StrategyDefinition},
};
use serde_json::{Map, Value, json};

use crate::http::fields::{Field, Fields, Input, Kind, field};

/// A strategy as a user writes it.
pub(crate) struct StrategyBody {
    pub(crate) draft: StrategyDraft,
    /// What came of [`IDENTITY`].
    identity: Map<String, Value>,
}

const READ_ONLY: &str =
    "Read-only: accepted so that a strategy can be sent back as it was read, and ignored.";
/// What no update changes.
const IDENTITY: [&str; 4] = ["id", "slug", "owner_id", "version"];
const FIXED: &str = "Read-only: ignored at creation; in an update, it must be what it is.";

impl StrategyBody {
    /// Refuses an update that would give the strategy another identity.
    ///
    /// # Errors
    /// Each field that differs.
    pub(crate) fn check_identity(
        &self,
        id: StrategyId,
        live: &LiveStrategy,
    ) -> Result<(), Vec<FieldError>> {
        let differs = |name: &str, value: &Value| match (name, value) {
            (_, Value::Null) => false,
            ("id", Value::String(text)) => text.parse() != Ok(id),
            ("owner_id", Value::String(text)) => text.parse() != Ok(live.owner_id),
            ("slug", value) => *value != live.slug,
            ("version", value) => *value != live.version,
            _ => true,
        };
        let changed = self.identity.iter().filter(|(name, value)| differs(name, value));
        let errors: Vec<_> = changed
            .map(|(name, _)| {
                let message = format!("`{name}` cannot be changed.");
                FieldError::new(name, ErrorCode::ReadOnly, message)
            })
            .collect();
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }
}

impl Input for StrategyBody {
    const NAME: &'static str = "StrategyBody";
    const EXAMPLE: &'static str = r#"{
        "name": "Buy the dip",
        "entry_rules": {"operator": "and", "conditions": [
            {"indicator": "rsi", "params": {"period": 14}, "comparator": "<", "value": "$oversold"}]},
        "exit_rules": {"operator": "or", "conditions": [
            {"indicator": "rsi(14)", "comparator": ">", "value": 70}]},
        "config": {"stop_loss": 5, "take_profit": 10},
        "default_parameters": {"oversold": 30}
    }"#;
    const FIELDS: &'static [Field] = &[
        field(
            "name",
            Kind::Text,
            "1 to 200 characters. The slug is derived from it once, at creation.",
        )
        .required(),
        field("description", Kind::Text, "At most 5,000 characters."),
        field(
            "code_ref",
            Kind::Text,
            "Name of a built-in strategy, such as `golden_cross` or `core.strategies.GoldenCross`. Use either this or rules.",
        ),
        field("entry_rules", Kind::Object, "A group of conditions. Use either this or `code_ref`."),
        field(
            "exit_rules",
            Kind::Object,
            "A group of conditions. Without it, no rule exits a position.",
        ),
        field("short_entry_rules", Kind::Object, "Used if `direction` is `both`."),
        field("short_exit_rules", Kind::Object, "Used if `direction` is `both`."),
        field(
            "config",
            Kind::Object,
            "Direction, position sizing, entry orders, stops and targets (in percent), and position mode. See docs/rules.md.",
        ),
        field("default_parameters", Kind::Object, "Numbers that rules refer to as `$name`."),
        field("default_symbol", Kind::Text, "The market or asset that the strategy is meant for."),
        field("is_active", Kind::Boolean, "Defaults to true."),
        field(
            "is_public",
            Kind::Boolean,
            "Whether every user may read and backtest it. Defaults to false.",
        ),
        field("id", Kind::ReadOnly, FIXED),
        field("slug", Kind::ReadOnly, FIXED),
        field("owner_id", Kind::ReadOnly, FIXED),
        field("kind", Kind::ReadOnly, READ_ONLY),
        field("version", Kind::ReadOnly, FIXED),
        field("created_at", Kind::ReadOnly, READ_ONLY),
        field("updated_at", Kind::ReadOnly, READ_ONLY),
        field("warnings", Kind::ReadOnly, READ_ONLY),
    ];

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        fields.require(&["name"]);
        let name = fields.text(&["name"], 200).map(|name| name.trim().to_owned());
        if name.as_deref() == Some("") {
            fields.error("name", ErrorCode::Required, "`name` must not be empty.");
        }
        let description = fields.text(&["description"], 5_000).unwrap_or_default();
        let definition = StrategyDefinition::parse(fields.map());
        let definition = definition.map_err(|errors| fields.errors(errors)).ok();
        let default_symbol = fields.parsed(&["default_symbol"], |value| {
            let text = value.as_str().ok_or("must be a string")?;
            text.parse::<Symbol>().map_err(|_| "must be a symbol, such as BTCUSDT".to_owned())
        });
        let is_active = fields.boolean("is_active").unwrap_or(true);
        let is_public = fields.boolean("is_public").unwrap_or(false);
        let content =
            StrategyContent { name: name?, description, definition: definition?, default_symbol };
        let given = |name: &str| Some((name.to_owned(), fields.map().get(name)?.clone()));
        let identity = IDENTITY.into_iter().filter_map(given).collect();
        Some(Self { draft: StrategyDraft { content, is_active, is_public }, identity })
    }
}

/// An object whose fields are not looked at: a merge patch, or a body to validate.
pub(crate) struct AnyObject(pub(crate) Map<String, Value>);

impl Input for AnyObject {
    const NAME: &'static str = "StrategyPart";
    const FIELDS: &'static [Field] = StrategyBody::FIELDS;
    const IS_OPEN: bool = true;

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self(fields.map().clone()))
    }
}

/// The body that a PUT would have to send for this content.
pub(crate) fn body_of(draft: &StrategyDraft) -> Map<String, Value> {
    let StrategyDraft { content, is_active, is_public } = draft;
    let mut body = match serde_json::to_value(&content.definition) {
        Ok(Value::Object(body)) => body,
        Ok(_) | Err(_) => Map::new(),
    };
    body.insert("name".to_owned(), json!(content.name));
    body.insert("description".to_owned(), json!(content.description));
    body.insert("default_symbol".to_owned(), json!(content.default_symbol));
    body.insert("is_active".to_owned(), json!(is_active));
    body.insert("is_public".to_owned(), json!(is_public));
    body
}

/// JSON merge patch (RFC 7396).
pub(crate) fn merge(target: &mut Map<String, Value>, patch: Map<String, Value>) {
    for (name, value) in patch {
        match (value, target.get_mut(&name)) {
            (Value::Null, _) => {
                target.remove(&name);
            }
            (Value::Object(patch), Some(Value::Object(inner))) => merge(inner, patch),
            (Value::Object(patch), _) => {
                let mut inner = Map::new();
                merge(&mut inner, patch);
                target.insert(name, Value::Object(inner));
            }
            (value, _) => {
                target.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_merge_patch_replaces_merges_and_removes() {
        let object = |value: Value| value.as_object().cloned().unwrap();
        let mut target = object(json!({"a": "b", "c": {"d": "e", "f": "g"}, "l": [1, 2]}));
        merge(&mut target, object(json!({"a": "z", "c": {"f": null}, "l": [3], "n": {"x": null}})));
        assert_eq!(Value::Object(target), json!({"a": "z", "c": {"d": "e"}, "l": [3], "n": {}}));
    }
}
