//! `/strategies/catalog`: the built-ins.

use domain::strategy::{Builtin, builtins};
use poem_openapi::{Object, OpenApi};
use serde::Serialize;
use serde_json::Value;

use crate::{
    http::response::{List, WithHeaders as _},
    rest::Chapter,
};

/// The built-ins.
pub(crate) struct Catalog;

/// A built-in strategy.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "CatalogEntry")]
pub(crate) struct CatalogEntry {
    id: String,
    slug: String,
    name: String,
    /// The value for a strategy's `code_ref`.
    code_ref: String,
    class_name: String,
    description: String,
    /// Where the strategy is described.
    source: String,
    parameters: Vec<CatalogParameter>,
    entry_rules: Value,
    exit_rules: Option<Value>,
}

/// A parameter of a built-in strategy.
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
impl Catalog {
    /// Lists the built-in strategies and their parameters.
    #[oai(path = "/strategies/catalog", method = "get", operation_id = "listCatalog")]
    async fn list(&self) -> List<CatalogEntry> {
        let all = builtins::ALL.iter().map(|builtin| CatalogEntry::from(*builtin)).collect();
        List::whole(all).cached_publicly()
    }
}
