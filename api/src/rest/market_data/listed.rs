//! Lists of names that `?details=true` turns into lists of objects.

use std::borrow::Cow;

use poem_openapi::{
    registry::{MetaSchema, MetaSchemaRef, Registry},
    types::{ToJSON, Type},
};
use serde::Serialize;
use serde_json::Value;

use crate::http::fields::{Field, Fields, Input, Kind, field};

/// A row: its name, or all of it.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Listed<T> {
    Name(String),
    Details(T),
}

/// Whether rows are objects.
pub(crate) struct DetailsQuery {
    pub(crate) has_details: bool,
}

impl Input for DetailsQuery {
    const NAME: &'static str = "DetailsQuery";
    const FIELDS: &'static [Field] = &[field(
        "details",
        Kind::Boolean,
        "`true` lists objects instead of names. Defaults to `false`.",
    )];

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self { has_details: fields.boolean("details").unwrap_or(false) })
    }
}

impl<T: Type> Type for Listed<T> {
    const IS_REQUIRED: bool = true;
    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        T::name()
    }

    fn schema_ref() -> MetaSchemaRef {
        let name = MetaSchemaRef::Inline(Box::new(MetaSchema::new("string")));
        let schema = MetaSchema { one_of: vec![name, T::schema_ref()], ..MetaSchema::ANY };
        MetaSchemaRef::Inline(Box::new(schema))
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(std::iter::once(self))
    }
}

impl<T: ToJSON> ToJSON for Listed<T> {
    fn to_json(&self) -> Option<Value> {
        match self {
            Self::Name(name) => Some(Value::from(name.as_str())),
            Self::Details(details) => details.to_json(),
        }
    }
}
