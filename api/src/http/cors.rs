//! CORS: which pages of other origins may call the API from a browser. None by default.

use poem::{
    Request, Response,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header},
};

/// What pages may send besides what browsers always allow.
const REQUEST_HEADERS: &str = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, Prefer, Traceparent, X-Request-Id";
/// What pages may read besides what browsers always show.
const RESPONSE_HEADERS: &str = "Content-Disposition, ETag, Idempotency-Replayed, Link, Location, Retry-After, Traceparent, X-Backtrail-Pending, X-Backtrail-Position, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, X-Request-Id";
/// How long a browser may remember the answer to a preflight request, in seconds.
const MAX_AGE: &str = "600";

/// The origins whose pages may call the API.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cors {
    origins: Vec<String>,
    is_any: bool,
    has_credentials: bool,
}

impl Cors {
    /// Reads origins separated by commas, such as `https://app.example.com`; `*` is every one. With `has_credentials`, their pages
    /// may send cookies.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn parse(origins: &str, has_credentials: bool) -> Result<Self, String> {
        let all = origins.split(',').map(str::trim).filter(|origin| !origin.is_empty());
        let mut cors = Self { has_credentials, ..Self::default() };
        for origin in all {
            if origin == "*" {
                cors.is_any = true;
            } else if is_origin(origin) {
                cors.origins.push(origin.to_ascii_lowercase());
            } else {
                return Err(format!(
                    "`{origin}` is not an origin, such as https://app.example.com"
                ));
            }
        }
        if cors.is_any && has_credentials {
            return Err("cookies cannot be allowed for every origin (`*`)".to_owned());
        }
        Ok(cors)
    }

    /// The response to a preflight request for a path with these methods; `None` for any other request, and for an origin that
    /// may not.
    pub(crate) fn preflight(&self, request: &Request, methods: &str) -> Option<Response> {
        let headers = request.headers();
        headers.get(header::ACCESS_CONTROL_REQUEST_METHOD)?;
        let origin = self.allowed(headers)?;
        let mut response = Response::builder()
            .status(StatusCode::NO_CONTENT)
            .header(header::ACCESS_CONTROL_ALLOW_METHODS, methods)
            .header(header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS)
            .header(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE)
            .finish();
        self.allow(&mut response, origin);
        Some(response)
    }

    /// Returns the origin of the request, as it is to be allowed, if it may be.
    pub(crate) fn allowed(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get(header::ORIGIN)?;
        let known = origin.to_str().ok()?.to_ascii_lowercase();
        if self.origins.contains(&known) {
            return Some(origin.clone());
        }
        self.is_any.then(|| HeaderValue::from_static("*"))
    }

    /// Allows that origin to read the response.
    pub(crate) fn allow(&self, response: &mut Response, origin: HeaderValue) {
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        let mut insert = |name: HeaderName, value: &'static str| {
            headers.insert(name, HeaderValue::from_static(value));
        };
        insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, RESPONSE_HEADERS);
        if self.has_credentials {
            insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
        }
    }
}

/// A scheme, a host and perhaps a port, and nothing else.
fn is_origin(text: &str) -> bool {
    let is_web = text.starts_with("http://") || text.starts_with("https://");
    let uri = text.parse::<Uri>().ok().filter(|_| is_web && !text.ends_with('/'));
    uri.is_some_and(|uri| {
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        uri.path_and_query().is_none_or(|path| path == "/") && !authority.contains('@')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(cors: &Cors, origin: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ORIGIN, origin.parse().unwrap());
        cors.allowed(&headers).map(|origin| origin.to_str().unwrap().to_owned())
    }

    #[test]
    fn only_the_configured_origins_are_allowed() {
        let none = Cors::parse("", false).unwrap();
        assert_eq!(allowed(&none, "https://app.example.com"), None);
        let two = Cors::parse("https://app.example.com, http://localhost:5173", true).unwrap();
        for origin in ["https://app.example.com", "http://localhost:5173"] {
            assert_eq!(allowed(&two, origin).as_deref(), Some(origin));
        }
        for origin in [
            "https://example.com",
            "http://app.example.com",
            "null",
            "https://app.example.com.evil.org",
        ] {
            assert_eq!(allowed(&two, origin), None, "{origin}");
        }
        let any = Cors::parse("*", false).unwrap();
        assert_eq!(allowed(&any, "https://example.org").as_deref(), Some("*"));
    }

    #[test]
    fn what_is_no_origin_and_cookies_for_everyone_are_refused() {
        for wrong in [
            "example.com",
            "https://example.com/",
            "https://example.com/app",
            "ftp://example.com",
            "https://a@b.c",
        ] {
            assert!(Cors::parse(wrong, false).is_err(), "{wrong}");
        }
        assert!(Cors::parse("*", true).is_err());
    }
}
