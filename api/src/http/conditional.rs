//! Entity tags: `If-Match` of changes, `If-None-Match` of reads, and the tag of a response that has none yet.

use poem::{
    Response,
    http::{HeaderMap, HeaderValue, header},
};
use sha2::{Digest as _, Sha256};

use super::error::ApiError;

/// Bytes of the hash that make a weak tag.
const TAG_BYTES: usize = 8;

/// Returns the sequence that `If-Match` asks for; `None` if any will do.
///
/// # Errors
/// 422 for what is not a tag of ours.
pub(crate) fn if_match(headers: &HeaderMap) -> Result<Option<i64>, ApiError> {
    match headers.get(header::IF_MATCH).and_then(|tag| tag.to_str().ok()) {
        None | Some("*") => Ok(None),
        Some(tag) => sequence_of(tag).map(Some),
    }
}

/// The sequence in an entity tag: `"7"`, or `"7-50"` of a run in progress.
fn sequence_of(tag: &str) -> Result<i64, ApiError> {
    let inner = tag.trim().trim_start_matches("W/").trim_matches('"');
    let digits = inner.split('-').next().unwrap_or_default();
    digits.parse().map_err(|_| {
        ApiError::invalid_field(
            "If-Match",
            "If-Match must be one entity tag from an earlier response.",
        )
    })
}

/// Adds what a handler left out: the response is private to the caller, and its tag is a hash of the body.
pub(crate) fn complete_caching(headers: &mut HeaderMap, body: &str) {
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    }
    if !headers.contains_key(header::ETAG) {
        let hash = Sha256::digest(body);
        let tag: String = hash[..TAG_BYTES].iter().map(|byte| format!("{byte:02x}")).collect();
        if let Ok(tag) = HeaderValue::from_str(&format!("W/\"{tag}\"")) {
            headers.insert(header::ETAG, tag);
        }
    }
}

/// Returns whether the client has the response already, by one of the tags in `If-None-Match`.
pub(crate) fn is_unchanged(response: &Response, if_none_match: Option<&str>) -> bool {
    let tag = response.headers().get(header::ETAG).and_then(|tag| tag.to_str().ok());
    let (Some(tag), Some(known)) = (tag, if_none_match) else { return false };
    let weak = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    known.split(',').any(|one| one.trim() == "*" || weak(one) == weak(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entity_tag_names_a_sequence() {
        assert_eq!(sequence_of("\"7\"").unwrap(), 7);
        assert_eq!(sequence_of("W/\"7-50\"").unwrap(), 7);
        assert!(sequence_of("\"x\"").is_err());
    }

    #[test]
    fn the_tag_of_a_body_is_the_same_in_every_process() {
        let mut headers = HeaderMap::new();
        complete_caching(&mut headers, "{}");
        // printf {} | sha256sum
        assert_eq!(headers[header::ETAG], "W/\"44136fa355b3678a\"");
    }
}
