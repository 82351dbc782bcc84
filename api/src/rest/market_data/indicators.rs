//! `/indicators`: the catalogue.

use domain::simulation::indicators::{self, IndicatorSpec, ParameterKind, ParameterSpec};
use poem_openapi::{Object, OpenApi};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    http::response::{List, WithHeaders as _},
    rest::Chapter,
};

/// The catalogue of indicators.
pub(crate) struct Indicators;

/// An indicator of the rule language.
#[derive(Debug, Serialize, Object)]
pub(crate) struct Indicator {
    /// Case-insensitive.
    name: String,
    aliases: Vec<String>,
    description: String,
    /// In argument order.
    parameters: Vec<Parameter>,
    outputs: Vec<String>,
    default_output: String,
}

/// An argument of an indicator.
#[derive(Debug, Serialize, Object)]
pub(crate) struct Parameter {
    name: String,
    /// `integer`, `number` or `source`.
    #[serde(rename = "type")]
    #[oai(rename = "type")]
    kind: String,
    minimum: Option<f64>,
    maximum: Option<f64>,
    default: Value,
}

impl From<&IndicatorSpec> for Indicator {
    fn from(spec: &IndicatorSpec) -> Self {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            name: spec.name.to_owned(),
            aliases: owned(spec.aliases),
            description: spec.description.to_owned(),
            parameters: spec.parameters.iter().map(Parameter::from).collect(),
            outputs: owned(spec.outputs),
            default_output: spec.outputs[spec.default_output].to_owned(),
        }
    }
}

impl From<&ParameterSpec> for Parameter {
    fn from(spec: &ParameterSpec) -> Self {
        let (kind, minimum, maximum, default) = match spec.kind {
            ParameterKind::Integer { minimum, maximum, default } => {
                ("integer", Some(f64::from(minimum)), Some(f64::from(maximum)), json!(default))
            }
            ParameterKind::Number { minimum, maximum, default } => {
                ("number", Some(minimum), Some(maximum), json!(default))
            }
            ParameterKind::Source { default } => ("source", None, None, json!(default.as_str())),
        };
        Self { name: spec.name.to_owned(), kind: kind.to_owned(), minimum, maximum, default }
    }
}

#[OpenApi(tag = "Chapter::MarketData")]
impl Indicators {
    /// Lists the indicators available to rules.
    #[oai(path = "/indicators", method = "get", operation_id = "listIndicators")]
    async fn list(&self) -> List<Indicator> {
        let all = indicators::ALL.iter().map(|spec| Indicator::from(*spec)).collect();
        List::whole(all).cached_publicly()
    }
}
