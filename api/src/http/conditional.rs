//! Entity tags: `If-Match` of changes, `If-None-Match` of reads, and the tag of a response that has none yet.

use poem::{
    Response,
    http::{HeaderMap, HeaderValue, header},
};
use sha2::{Digest as _, Sha256};

use super::{compression::plain_tag, error::ApiError};

/// Bytes of the hash that make a weak tag.
const TAG_BYTES: usize = 8;

/// Returns the sequences that `If-Match` asks for, of which one must be the present one; `None` if any will do. Tags that cannot
/// match (weak ones, or those of something else) name none, as RFC 9110 wants it.
///
/// # Errors
/// 422 for what is not a list of entity tags.
pub(crate) fn if_match(headers: &HeaderMap) -> Result<Option<Vec<i64>>, ApiError> {
    let mut sequences = Vec::new();
    let mut is_given = false;
    for value in headers.get_all(header::IF_MATCH) {
        is_given = true;
        let text = value.to_str().unwrap_or_default();
        if text.trim() == "*" {
            return Ok(None);
        }
        for tag in text.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
            sequences.extend(sequence_of(tag)?);
        }
    }
    Ok(is_given.then_some(sequences))
}

/// The sequence in an entity tag: `"7"`, or `"7-50"` of a run in progress; `None` if it is weak, or not one of ours.
fn sequence_of(tag: &str) -> Result<Option<i64>, ApiError> {
    let (is_weak, quoted) = match tag.strip_prefix("W/") {
        Some(rest) => (true, rest),
        None => (false, tag),
    };
    let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let inner = inner.filter(|inner| !inner.contains('"')).ok_or_else(|| {
        let message = "If-Match must be `*` or entity tags in quotes, separated by commas.";
        ApiError::invalid_field("If-Match", message)
    })?;
    let digits = inner.split('-').next().unwrap_or_default();
    Ok(digits.parse().ok().filter(|_| !is_weak))
}

/// Adds what a handler left out: the response is private to the caller, and its tag is a hash of the body.
pub(crate) fn complete_caching(headers: &mut HeaderMap, body: impl AsRef<[u8]>) {
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
    let weak = |tag: &str| plain_tag(tag.trim().trim_start_matches("W/"));
    known.split(',').any(|one| one.trim() == "*" || weak(one) == weak(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entity_tag_names_a_sequence() {
        assert_eq!(sequence_of("\"7\"").unwrap(), Some(7));
        assert_eq!(sequence_of("\"7-50\"").unwrap(), Some(7));
        assert_eq!(sequence_of("W/\"7-50\"").unwrap(), None);
        assert_eq!(sequence_of("\"x\"").unwrap(), None);
        assert!(sequence_of("7").is_err());
    }

    #[test]
    fn if_match_is_a_list_or_a_star() {
        let of = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::IF_MATCH, HeaderValue::from_str(value).unwrap());
            }
            if_match(&headers).unwrap()
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&["*"]), None);
        assert_eq!(of(&["\"7\", W/\"8\"", "\"9\""]), Some(vec![7, 9]));
        assert_eq!(of(&["W/\"8\""]), Some(Vec::new()));
    }

    #[test]
    fn the_tag_of_a_body_is_the_same_in_every_process() {
        let mut headers = HeaderMap::new();
        complete_caching(&mut headers, "{}");
        // printf {} | sha256sum
        assert_eq!(headers[header::ETAG], "W/\"44136fa355b3678a\"");
    }
}
