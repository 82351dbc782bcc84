//! Query parameters, read against a table.

use poem::{Request, RequestBody};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaParamIn, MetaSchemaRef, Registry},
};
use serde_json::{Map, Value};

use super::{
    error::ApiError,
    fields::{self, Input},
};

/// The query of a request; the document shows its fields one by one.
pub(crate) struct Query<T>(pub(crate) T);

impl<'a, T: Input> ApiExtractor<'a> for Query<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::Parameter];
    type ParamType = ();
    type ParamRawType = ();

    fn register(_registry: &mut Registry) {}

    fn param_in() -> Option<MetaParamIn> {
        Some(MetaParamIn::Query)
    }

    fn param_schema_ref() -> Option<MetaSchemaRef> {
        Some(MetaSchemaRef::Inline(Box::new(fields::schema_of::<T>())))
    }

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let map = pairs(request).map_err(poem::Error::from)?;
        Ok(Self(fields::read(&map, true).map_err(ApiError::invalid)?))
    }
}

fn pairs(request: &Request) -> Result<Map<String, Value>, ApiError> {
    let pairs: Vec<(String, String)> =
        request.params().map_err(|_| ApiError::malformed("The query cannot be read."))?;
    let mut map = Map::new();
    for (name, value) in pairs {
        if map.insert(name.clone(), Value::String(value)).is_some() {
            return Err(ApiError::invalid_field(
                &name,
                format!("`{name}` is given more than once."),
            ));
        }
    }
    Ok(map)
}
