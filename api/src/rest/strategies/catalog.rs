//! `/strategies/catalog` and `/strategies/validate`.

use domain::{
    fields::FieldError,
    strategy::{Builtin, builtins, validate_strategy},
};
use poem_openapi::{Object, OpenApi};
use serde::Serialize;
use serde_json::Value;

use super::body::{AnyObject, StrategyBody};
use crate::{
    http::{
        caller::Caller,
        fields,
        json::ValidJson,
        response::{Item, List, WithHeaders as _},
    },
    rest::Chapter,
};

/// The built-ins, and checks of what is not stored.
pub(crate) struct StrategyCatalog;

/// A built-in strategy.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "CatalogEntry")]
pub(crate) struct CatalogEntry {
    id: String,
    slug: String,
    name: String,
    /// What a strategy's `code_ref` says.
    code_ref: String,
    class_name: String,
    description: String,
    /// Where the idea is described.
    source: String,
    parameters: Vec<CatalogParameter>,
    entry_rules: Value,
    exit_rules: Option<Value>,
}

/// A number that a built-in can be tuned with.
#[derive(Debug, Serialize, Object)]
pub(crate) struct CatalogParameter {
    name: String,
    aliases: Vec<String>,
    /// `integer` or `number`.
    #[serde(rename = "type")]
    #[oai(rename = "type")]
    kind: String,
    default: f64,
    minimum: f64,
    maximum: f64,
    description: String,
}

/// What is to be said about a strategy.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "Validation")]
pub(crate) struct ValidationResource {
    valid: bool,
    errors: Vec<Finding>,
    warnings: Vec<Finding>,
    /// Candles before the first one on which rules are evaluated; null when it is not valid.
    warmup_candles: Option<u64>,
}

/// One thing about one field.
#[derive(Debug, Serialize, Object)]
pub(crate) struct Finding {
    field: String,
    code: String,
    message: String,
}

impl From<FieldError> for Finding {
    fn from(error: FieldError) -> Self {
        Self { field: error.field, code: error.code, message: error.message }
    }
}

impl From<&Builtin> for CatalogEntry {
    fn from(builtin: &Builtin) -> Self {
        let parameters = builtin.parameters.iter().map(|parameter| CatalogParameter {
            name: parameter.name.to_owned(),
            aliases: parameter.aliases.iter().map(|alias| (*alias).to_owned()).collect(),
            kind: parameter.kind.as_str().to_owned(),
            default: parameter.default,
            minimum: parameter.minimum,
            maximum: parameter.maximum,
            description: parameter.description.to_owned(),
        });
        Self {
            id: builtin.id().to_string(),
            slug: builtin.slug.to_owned(),
            name: builtin.title.to_owned(),
            code_ref: builtin.name.to_owned(),
            class_name: builtin.class_name.to_owned(),
            description: builtin.description.to_owned(),
            source: builtin.source.to_owned(),
            parameters: parameters.collect(),
            entry_rules: (builtin.entry_rules)(),
            exit_rules: builtin.exit_rules.map(|rules| rules()),
        }
    }
}

#[OpenApi(tag = "Chapter::Strategies")]
impl StrategyCatalog {
    /// Lists the built-in strategies with the schemas of their parameters.
    #[oai(path = "/strategies/catalog", method = "get", operation_id = "listCatalog")]
    async fn catalog(&self) -> List<CatalogEntry> {
        let all = builtins::ALL.iter().map(|builtin| CatalogEntry::from(*builtin)).collect();
        List::whole(all).cached_publicly()
    }

    /// Checks a strategy without storing it.
    #[oai(path = "/strategies/validate", method = "post", operation_id = "validateStrategy")]
    async fn validate(
        &self,
        _caller: Caller,
        body: ValidJson<AnyObject>,
    ) -> Item<ValidationResource> {
        let AnyObject(body) = body.value;
        let found = validate_strategy(&body);
        // Valid is what a POST would take; only the name may still be missing.
        let mut errors = fields::read::<StrategyBody>(&body, false).err().unwrap_or_default();
        errors.retain(|error| error.field != "name" || body.contains_key("name"));
        let findings = |errors: Vec<FieldError>| errors.into_iter().map(Finding::from).collect();
        Item::new(ValidationResource {
            valid: errors.is_empty(),
            errors: findings(errors),
            warnings: findings(found.warnings),
            warmup_candles: found.warmup_candles.map(|candles| candles as u64),
        })
    }
}
