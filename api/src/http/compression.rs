//! Compression of responses, by what the client accepts: gzip or zstd.

use poem::{
    IntoResponse as _, Response,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    web::{Compress, CompressionAlgo, CompressionLevel},
};

use super::error::ApiError;

/// A shorter body fits into a packet or two as it is.
const BYTES_MIN: usize = 1_024;

/// Returns the coding that the client likes best of those that the service has; gzip where it does not mind.
pub(crate) fn accepted(headers: &HeaderMap) -> Option<CompressionAlgo> {
    let texts = headers.get_all(header::ACCEPT_ENCODING).iter();
    let codings = texts.filter_map(|text| text.to_str().ok()).flat_map(|text| text.split(','));
    let weighed = codings.filter_map(|coding| {
        let (name, weight) = match coding.split_once(';') {
            Some((name, q)) => (name, q.trim().strip_prefix("q=")?.trim().parse::<f64>().ok()?),
            None => (coding, 1.0),
        };
        let algorithm = match name.trim().to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" | "*" => CompressionAlgo::GZIP,
            "zstd" => CompressionAlgo::ZSTD,
            _ => return None,
        };
        (weight > 0.0).then_some((algorithm, weight))
    });
    let best = weighed.reduce(|best, next| match next.1.total_cmp(&best.1) {
        std::cmp::Ordering::Greater => next,
        std::cmp::Ordering::Equal if next.0 == CompressionAlgo::GZIP => next,
        std::cmp::Ordering::Equal | std::cmp::Ordering::Less => best,
    });
    best.map(|(algorithm, _)| algorithm)
}

/// Compresses a text that is long enough. A strong entity tag gets a suffix, for the bytes are others.
///
/// # Errors
/// The body cannot be read.
pub(crate) async fn compress(
    mut response: Response,
    algorithm: CompressionAlgo,
) -> Result<Response, ApiError> {
    if response.status() == StatusCode::NO_CONTENT || !is_text(&response) {
        return Ok(response);
    }
    let body = response.take_body().into_bytes().await.map_err(ApiError::internal)?;
    let is_short = body.len() < BYTES_MIN;
    response.set_body(body);
    if is_short {
        return Ok(response);
    }
    if let Some(tag) = tag_of(&response, algorithm) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(Compress::new(response, algorithm).with_quality(CompressionLevel::Fastest).into_response())
}

/// The entity tag without the suffix that [`compress`] gave it.
pub(crate) fn plain_tag(tag: &str) -> String {
    ["-gzip\"", "-zstd\""]
        .iter()
        .find_map(|suffix| tag.strip_suffix(suffix))
        .map_or_else(|| tag.to_owned(), |tag| format!("{tag}\""))
}

/// Whether it is a whole text, not a stream.
fn is_text(response: &Response) -> bool {
    let essence = response.content_type().unwrap_or_default().split(';').next().unwrap_or_default();
    matches!(essence, "application/json" | "application/graphql-response+json" | "text/html")
}

fn tag_of(response: &Response, algorithm: CompressionAlgo) -> Option<HeaderValue> {
    let tag = response.headers().get(header::ETAG)?.to_str().ok()?;
    let inner = tag.strip_prefix('"')?.strip_suffix('"')?;
    HeaderValue::from_str(&format!("\"{inner}-{algorithm}\"")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &'static str) -> Option<CompressionAlgo> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(text));
        accepted(&headers)
    }

    #[test]
    fn the_client_s_favourite_is_taken() {
        assert_eq!(of("gzip, deflate, br, zstd"), Some(CompressionAlgo::GZIP));
        assert_eq!(of("zstd, gzip;q=0.5"), Some(CompressionAlgo::ZSTD));
        assert_eq!(of("zstd;q=0.1, gzip;q=0"), Some(CompressionAlgo::ZSTD));
        assert_eq!(of("br, identity"), None);
        assert_eq!(of("gzip;q=0"), None);
    }

    #[test]
    fn a_tag_loses_its_suffix() {
        assert_eq!(plain_tag("\"7-gzip\""), "\"7\"");
        assert_eq!(plain_tag("\"7-50\""), "\"7-50\"");
        assert_eq!(plain_tag("W/\"44136fa355b3678a\""), "W/\"44136fa355b3678a\"");
    }
}
