//! `Authorization: Bearer <token>`: the token of a session.

use poem::http::{HeaderMap, header};
use poem_openapi::registry::MetaSecurityScheme;

/// Its name in the document.
pub(crate) const SCHEME: &str = "Session";

/// Returns its description for the document.
pub(crate) fn scheme() -> MetaSecurityScheme {
    MetaSecurityScheme {
        ty: "http",
        description: Some("The token returned by `POST /sessions`."),
        name: None,
        key_in: None,
        scheme: Some("bearer"),
        bearer_format: None,
        flows: None,
        openid_connect_url: None,
    }
}

/// Returns the token of the request.
pub(crate) fn token(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
