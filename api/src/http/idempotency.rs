//! `Idempotency-Key`: the key under which a POST is carried out once.

use poem::http::HeaderMap;

use super::error::ApiError;

/// Returns the key of the request.
///
/// # Errors
/// 422 for one that is too long or cannot be read.
pub(crate) fn key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().unwrap_or_default();
    if key.is_empty() || key.len() > 255 {
        let message = "An Idempotency-Key must have 1 to 255 visible characters.";
        return Err(ApiError::invalid_field("Idempotency-Key", message));
    }
    Ok(Some(key.to_owned()))
}
