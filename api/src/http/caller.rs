//! Who asks, and what a request says in its headers.

use std::{sync::Arc, time::Duration};

use commands::{CommandContext, IdempotencyKey};
use domain::access::Actor;
use infra::postgres::accounts::User;
use poem::{FromRequest, Request, RequestBody, http::HeaderMap};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaSecurityScheme, Registry},
};

use super::{error::ApiError, json::ValidJson};
use crate::Context;

/// Anyone.
pub(crate) struct Visitor {
    pub(crate) api: Arc<Context>,
}

/// A user who is signed in.
pub(crate) struct Caller {
    pub(crate) api: Arc<Context>,
    pub(crate) user: User,
    /// The token of the session.
    pub(crate) token: String,
    pub(crate) headers: Wishes,
}

/// What the headers of a request ask for.
pub(crate) struct Wishes {
    request_id: String,
    traceparent: Option<String>,
    if_match: Option<i64>,
    idempotency_key: Option<String>,
    /// It came by `/api/…` instead of `/api/v1/…`.
    pub(crate) is_alias: bool,
    /// `Prefer: respond-async`.
    pub(crate) respond_async: bool,
    /// `Prefer: wait=N`.
    pub(crate) wait: Option<Duration>,
}

/// What the boundary tells the handlers.
#[derive(Debug, Clone)]
pub(crate) struct Arrival {
    pub(crate) request_id: String,
    /// It came by `/api/…` instead of `/api/v1/…`.
    pub(crate) is_alias: bool,
}

impl Caller {
    /// The user as commands and the ownership check know them.
    pub(crate) fn actor(&self) -> Actor {
        Actor::User(self.user.id)
    }

    /// What goes with a command.
    pub(crate) fn command(&self) -> CommandContext {
        CommandContext {
            actor: self.actor(),
            request_id: self.headers.request_id.clone(),
            traceparent: self.headers.traceparent.clone(),
            idempotency: None,
            expected_sequence: self.headers.if_match,
        }
    }

    /// The same for a route that takes no body: `route` names all that the command depends on.
    pub(crate) fn creation_by_path(&self, route: &str) -> CommandContext {
        let idempotency = self.headers.idempotency_key.clone().map(|key| IdempotencyKey {
            route: route.to_owned(),
            key,
            body_hash: Vec::new(),
        });
        CommandContext { idempotency, expected_sequence: None, ..self.command() }
    }

    /// What goes with a command that creates something: its `Idempotency-Key`, if there is one.
    pub(crate) fn creation<T>(&self, route: &str, body: &ValidJson<T>) -> CommandContext {
        let idempotency = self.headers.idempotency_key.clone().map(|key| IdempotencyKey {
            route: route.to_owned(),
            key,
            body_hash: body.hash.clone(),
        });
        CommandContext { idempotency, expected_sequence: None, ..self.command() }
    }
}

/// What the service is made of.
///
/// # Errors
/// 500 when the endpoint was built without it.
pub(crate) fn context(request: &Request) -> Result<&Arc<Context>, ApiError> {
    request.data::<Arc<Context>>().ok_or_else(|| ApiError::internal("the context is missing"))
}

impl<'a> FromRequest<'a> for Visitor {
    async fn from_request(request: &'a Request, _body: &mut RequestBody) -> poem::Result<Self> {
        Ok(Self { api: Arc::clone(context(request)?) })
    }
}

impl<'a> ApiExtractor<'a> for Caller {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        let scheme = MetaSecurityScheme {
            ty: "http",
            description: Some("The token that POST /sessions answers."),
            name: None,
            key_in: None,
            scheme: Some("bearer"),
            bearer_format: None,
            flows: None,
            openid_connect_url: None,
        };
        registry.create_security_scheme("Session", scheme);
    }

    fn security_schemes() -> Vec<&'static str> {
        vec!["Session"]
    }

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        Ok(authenticate(request).await?)
    }
}

/// The user whose token the request bears.
///
/// # Errors
/// 401; 422 for headers that cannot be read.
pub(crate) async fn authenticate(request: &Request) -> Result<Caller, ApiError> {
    let api = Arc::clone(context(request)?);
    let token = bearer(request.headers())
        .ok_or_else(|| ApiError::unauthorized("Sign in: send `Authorization: Bearer <token>`."))?;
    let user = api.accounts.authenticate(token).await?;
    let user =
        user.ok_or_else(|| ApiError::unauthorized("The token is not valid, or has ended."))?;
    let headers = Wishes::read(request)?;
    Ok(Caller { user, token: token.to_owned(), headers, api })
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = text(headers, "authorization")?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

impl Wishes {
    /// Where the client finds what it made.
    pub(crate) fn prefix(&self) -> &'static str {
        if self.is_alias { "/api" } else { "/api/v1" }
    }

    fn read(request: &Request) -> Result<Self, ApiError> {
        let headers = request.headers();
        let idempotency_key = match headers.get("idempotency-key") {
            None => None,
            Some(key) => Some(idempotency_key(key.to_str().unwrap_or_default())?),
        };
        let if_match = match text(headers, "if-match") {
            None | Some("*") => None,
            Some(tag) => Some(sequence_of(tag)?),
        };
        let (respond_async, wait) = preferences(headers);
        let arrival = request.data::<Arrival>();
        Ok(Self {
            request_id: arrival.map(|arrival| arrival.request_id.clone()).unwrap_or_default(),
            is_alias: arrival.is_some_and(|arrival| arrival.is_alias),
            traceparent: text(headers, "traceparent")
                .filter(|text| is_traceparent(text))
                .map(str::to_owned),
            if_match,
            idempotency_key,
            respond_async,
            wait,
        })
    }
}

fn idempotency_key(key: &str) -> Result<String, ApiError> {
    if key.is_empty() || key.len() > 255 {
        let message = "An Idempotency-Key has 1 to 255 visible characters.";
        return Err(ApiError::invalid_field("Idempotency-Key", message));
    }
    Ok(key.to_owned())
}

/// The sequence in an entity tag: `"7"`, or `"7-50"` of a run in progress.
fn sequence_of(tag: &str) -> Result<i64, ApiError> {
    let inner = tag.trim().trim_start_matches("W/").trim_matches('"');
    let digits = inner.split('-').next().unwrap_or_default();
    digits.parse().map_err(|_| {
        ApiError::invalid_field("If-Match", "If-Match takes one entity tag as a read gave it.")
    })
}

fn preferences(headers: &HeaderMap) -> (bool, Option<Duration>) {
    let mut respond_async = false;
    let mut wait = None;
    for value in headers.get_all("prefer") {
        for preference in value.to_str().unwrap_or_default().split([',', ';']) {
            let preference = preference.trim().to_ascii_lowercase();
            if preference == "respond-async" {
                respond_async = true;
            } else if let Some(seconds) = preference.strip_prefix("wait=") {
                let seconds = seconds.trim_matches('"').parse::<u64>().ok();
                wait = seconds.map(|seconds| Duration::from_secs(seconds.min(30)));
            }
        }
    }
    (respond_async, wait)
}

fn is_traceparent(text: &str) -> bool {
    text.len() == 55 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preferences_are_read_from_one_header_or_several() {
        let mut headers = HeaderMap::new();
        headers.append("prefer", "respond-async, wait=100".parse().unwrap());
        assert_eq!(preferences(&headers), (true, Some(Duration::from_secs(30))));
        headers.clear();
        headers.append("prefer", "wait=5".parse().unwrap());
        assert_eq!(preferences(&headers), (false, Some(Duration::from_secs(5))));
    }

    #[test]
    fn an_entity_tag_names_a_sequence() {
        assert_eq!(sequence_of("\"7\"").unwrap(), 7);
        assert_eq!(sequence_of("W/\"7-50\"").unwrap(), 7);
        assert!(sequence_of("\"x\"").is_err());
    }
}
