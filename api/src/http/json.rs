//! `ValidJson<T>`: a JSON body, with every field error at once.

use bytes::Bytes;
use domain::{error_code::ErrorCode, fields::FieldError};
use poem::{
    Body, Request, RequestBody,
    error::ReadBodyError,
    http::{HeaderMap, header},
};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaMediaType, MetaRequest, MetaSchema, MetaSchemaRef, Registry},
};
use serde::Deserialize as _;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::{
    context::context,
    error::ApiError,
    fields::{self, Input},
};

/// A body that is valid.
pub(crate) struct ValidJson<T> {
    pub(crate) value: T,
    /// SHA-256 of the body in canonical form (RFC 8785): spelling and the order of fields do not count, and secrets are left out.
    pub(crate) hash: Vec<u8>,
}

impl<'a, T: Input> ApiExtractor<'a> for ValidJson<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        registry.schemas.entry(T::NAME.to_owned()).or_insert_with(|| MetaSchema {
            rust_typename: Some(std::any::type_name::<T>()),
            ..fields::schema_of::<T>()
        });
    }

    fn request_meta() -> Option<MetaRequest> {
        let schema = MetaSchemaRef::Reference(T::NAME.to_owned());
        Some(MetaRequest {
            description: None,
            content: vec![MetaMediaType { content_type: "application/json", schema }],
            required: true,
        })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        Ok(read_body(request, body).await?)
    }
}

async fn read_body<T: Input>(
    request: &Request,
    body: &mut RequestBody,
) -> Result<ValidJson<T>, ApiError> {
    let bytes_max = context(request)?.options.body_bytes_max;
    let body = body.take().map_err(ApiError::internal)?;
    let bytes = read_bytes(request.headers(), body, bytes_max).await?;
    let mut map = parse_object(&bytes)?;
    let value = fields::read(&map, false)?;
    map.retain(|name, _| !T::SECRETS.contains(&name.as_str()));
    let canonical = serde_json_canonicalizer::to_vec(&map).map_err(ApiError::internal)?;
    Ok(ValidJson { value, hash: Sha256::digest(&canonical).to_vec() })
}

/// The bytes of a body that says that it is JSON.
///
/// # Errors
/// 415, 413, 400.
pub(crate) async fn read_bytes(
    headers: &HeaderMap,
    body: Body,
    bytes_max: usize,
) -> Result<Bytes, ApiError> {
    if !is_json(headers) {
        return Err(ApiError::unsupported_media_type());
    }
    body.into_bytes_limit(bytes_max).await.map_err(|error| match error {
        ReadBodyError::PayloadTooLarge => ApiError::too_large(bytes_max),
        ReadBodyError::BodyHasBeenTaken | ReadBodyError::Utf8(_) | ReadBodyError::Io(_) => {
            ApiError::malformed("The body could not be read completely.")
        }
    })
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE);
    let essence = content_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = essence.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// Parses a JSON object. What is JSON but for a number that no decimal can hold, or too deep, is 422 and names the field.
///
/// # Errors
/// 400 for what is not JSON, 422 else.
pub(crate) fn parse_object(bytes: &[u8]) -> Result<Map<String, Value>, ApiError> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(&mut deserializer, &mut track);
    let value = match Value::deserialize(tracked) {
        Ok(value) => value,
        Err(error) => return Err(refusal(bytes, &error, &track.path().to_string())),
    };
    deserializer.end().map_err(|error| refusal(bytes, &error, ""))?;
    match value {
        Value::Object(map) => Ok(map),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(ApiError::invalid_field("", "The body must be an object."))
        }
    }
}

fn refusal(bytes: &[u8], error: &serde_json::Error, path: &str) -> ApiError {
    let text = error.to_string();
    let path = if path == "." { "" } else { path };
    let path: String = path.chars().take(200).collect();
    if text.starts_with("recursion limit exceeded") {
        let message = "Groups are nested too deeply.";
        return ApiError::invalid(vec![FieldError::new(path, ErrorCode::TooDeep, message)]);
    }
    if text.starts_with("number out of range") || is_at_infinite_number(bytes, error) {
        let message = format!("`{path}` must be a finite number.");
        return ApiError::invalid(vec![FieldError::new(path, ErrorCode::InvalidNumber, message)]);
    }
    ApiError::malformed(format!("The body is not JSON: {text}."))
}

/// Whether the error lies at `NaN` or `Infinity`, which some writers take for JSON.
fn is_at_infinite_number(bytes: &[u8], error: &serde_json::Error) -> bool {
    let lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let before: usize = lines.take(error.line().saturating_sub(1)).map(<[u8]>::len).sum();
    let at = before + error.column();
    (at.saturating_sub(3)..=at).any(|start| {
        let rest = bytes.get(start..).unwrap_or_default();
        [b"NaN".as_slice(), b"Infinity", b"-Infinity"].iter().any(|word| rest.starts_with(word))
    })
}

#[cfg(test)]
mod tests {
    use poem::http::StatusCode;

    use super::*;

    fn error_of(body: &str) -> ApiError {
        parse_object(body.as_bytes()).unwrap_err()
    }

    #[test]
    fn numbers_that_are_not_finite_are_422_and_name_the_field() {
        for number in ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"] {
            let error =
                error_of(&format!("{{\"a\": 1,\n \"metadata\": {{\"leverage\": {number}}}}}"));
            assert_eq!(error.status(), StatusCode::UNPROCESSABLE_ENTITY, "{number}");
            assert_eq!(error.details()[0].field, "metadata.leverage", "{number}");
        }
    }

    #[test]
    fn a_megabyte_of_nested_groups_is_422() {
        let body =
            format!("{{\"entry_rules\": {}", r#"{"operator":"and","conditions":["#.repeat(33_000));
        let error = error_of(&body);
        assert_eq!(error.status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(error.details()[0].code.as_str(), "too_deep");
    }

    #[test]
    fn what_is_not_json_is_400() {
        for body in ["", "{", "{\"a\": nope}", "{} {}", "{'a': 1}"] {
            assert_eq!(error_of(body).status(), StatusCode::BAD_REQUEST, "{body}");
        }
        assert_eq!(error_of("[]").status(), StatusCode::UNPROCESSABLE_ENTITY);
    }
}
