//! A strategy and its versions as clients see them.

use domain::{
    fields::FieldError,
    market::Symbol,
    strategy::{Builtin, StrategyDefinition},
};
use poem_openapi::Object;
use projections::{strategies::StrategyRow, strategy_versions::StrategyVersionRow};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{http::values::time_text, lookup::FoundStrategy};

/// A strategy.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "Strategy")]
pub(crate) struct StrategyResource {
    pub(crate) id: String,
    pub(crate) slug: String,
    /// Null for built-in strategies.
    pub(crate) owner_id: Option<String>,
    #[serde(flatten)]
    #[oai(flatten)]
    pub(crate) content: ContentResource,
    pub(crate) is_active: bool,
    pub(crate) is_public: bool,
    pub(crate) version: u32,
    /// Null for built-in strategies.
    pub(crate) created_at: Option<String>,
    /// Null for built-in strategies.
    pub(crate) updated_at: Option<String>,
    /// What is valid and probably not meant, as `/strategies/validate` reports it.
    pub(crate) warnings: Vec<Finding>,
}

/// A finding about one field.
#[derive(Debug, Serialize, Object)]
pub(crate) struct Finding {
    field: String,
    code: String,
    message: String,
}

impl From<FieldError> for Finding {
    fn from(error: FieldError) -> Self {
        Self { field: error.field, code: error.code.to_string(), message: error.message }
    }
}

/// What a strategy says.
#[derive(Debug, Serialize, Object)]
pub(crate) struct ContentResource {
    pub(crate) name: String,
    pub(crate) description: String,
    /// `code` (uses a built-in) or `rules`.
    pub(crate) kind: String,
    pub(crate) code_ref: Option<String>,
    pub(crate) entry_rules: Option<Value>,
    pub(crate) exit_rules: Option<Value>,
    pub(crate) short_entry_rules: Option<Value>,
    pub(crate) short_exit_rules: Option<Value>,
    pub(crate) config: Option<Value>,
    pub(crate) default_parameters: Value,
    pub(crate) default_symbol: Option<String>,
}

/// A version of a strategy.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "StrategyVersion")]
pub(crate) struct VersionResource {
    strategy_id: String,
    version: u32,
    #[serde(flatten)]
    #[oai(flatten)]
    content: ContentResource,
    /// Null for built-in strategies.
    created_at: Option<String>,
}

impl ContentResource {
    fn new(
        name: String,
        description: String,
        definition: StrategyDefinition,
        default_symbol: Option<Symbol>,
    ) -> Self {
        Self {
            name,
            description,
            kind: definition.kind().to_owned(),
            code_ref: definition.code_ref,
            entry_rules: definition.entry_rules,
            exit_rules: definition.exit_rules,
            short_entry_rules: definition.short_entry_rules,
            short_exit_rules: definition.short_exit_rules,
            config: definition.config,
            default_parameters: json!(definition.default_parameters),
            default_symbol: default_symbol.map(String::from),
        }
    }

    fn of_builtin(builtin: &Builtin) -> Self {
        let definition = StrategyDefinition::of_builtin(builtin);
        Self::new(builtin.title.to_owned(), builtin.description.to_owned(), definition, None)
    }
}

impl From<StrategyRow> for StrategyResource {
    fn from(row: StrategyRow) -> Self {
        let warnings = row.definition.warnings();
        Self {
            id: row.id.to_string(),
            slug: row.slug,
            owner_id: Some(row.owner_id.to_string()),
            content: ContentResource::new(
                row.name,
                row.description,
                row.definition,
                row.default_symbol,
            ),
            is_active: row.is_active,
            is_public: row.is_public,
            version: row.version,
            created_at: Some(time_text(row.created_at)),
            updated_at: Some(time_text(row.updated_at)),
            warnings: warnings.into_iter().map(Finding::from).collect(),
        }
    }
}

impl From<&Builtin> for StrategyResource {
    fn from(builtin: &Builtin) -> Self {
        Self {
            id: builtin.id().to_string(),
            slug: builtin.slug.to_owned(),
            owner_id: None,
            content: ContentResource::of_builtin(builtin),
            is_active: true,
            is_public: true,
            version: 1,
            created_at: None,
            updated_at: None,
            warnings: Vec::new(),
        }
    }
}

impl From<StrategyVersionRow> for VersionResource {
    fn from(row: StrategyVersionRow) -> Self {
        Self {
            strategy_id: row.strategy_id.to_string(),
            version: row.version,
            content: ContentResource::new(
                row.name,
                row.description,
                row.definition,
                row.default_symbol,
            ),
            created_at: Some(time_text(row.created_at)),
        }
    }
}

impl From<&Builtin> for VersionResource {
    fn from(builtin: &Builtin) -> Self {
        let content = ContentResource::of_builtin(builtin);
        Self { strategy_id: builtin.id().to_string(), version: 1, content, created_at: None }
    }
}

impl From<FoundStrategy> for StrategyResource {
    fn from(found: FoundStrategy) -> Self {
        match found {
            FoundStrategy::Stored(row) => (*row).into(),
            FoundStrategy::Builtin(builtin) => builtin.into(),
        }
    }
}
