//! The boundary of every request: its id, the alias prefix, `min_position`, errors, the shape of answers, 304.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    panic::AssertUnwindSafe,
    sync::Arc,
};

use futures_util::FutureExt as _;
use infra::clock::Clock;
use poem::{
    Endpoint, Request, Response,
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
};
use tokio::time::Instant;
use tracing::Instrument as _;

use super::{
    caller::Arrival,
    error::ApiError,
    links,
    openapi::Document,
    response::Answer,
    sparse_fields::select,
};
use crate::{Context, ops::metrics};

/// Around everything.
pub(crate) struct Boundary<E> {
    inner: E,
    context: Arc<Context>,
    document: Arc<Document>,
}

/// What the boundary must know of the request when it writes the answer.
struct Asked {
    method: Method,
    /// As the client wrote it.
    uri: Uri,
    /// Under `/api/v1`, where it is not there already.
    path: String,
    is_bare: bool,
    if_none_match: Option<String>,
    request_id: String,
}

impl<E> Boundary<E> {
    pub(crate) fn new(inner: E, context: Arc<Context>, document: Arc<Document>) -> Self {
        Self { inner, context, document }
    }
}

impl<E: Endpoint<Output = Response>> Endpoint for Boundary<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let asked = Asked::read(&mut request, &self.context.clock);
        let span = tracing::info_span!("request", id = asked.request_id, method = %asked.method, path = asked.path);
        Ok(self.respond(request, asked).instrument(span).await)
    }
}

impl<E: Endpoint<Output = Response>> Boundary<E> {
    async fn respond(&self, request: Request, asked: Asked) -> Response {
        let begun = Instant::now();
        let mut response = match self.answer(request, &asked).await {
            Ok(response) => response,
            Err(error) => {
                error.log();
                error.to_response(&asked.request_id, asked.is_bare)
            }
        };
        if let Ok(id) = HeaderValue::from_str(&asked.request_id) {
            response.headers_mut().insert("x-request-id", id);
        }
        let route = self.document.template(&asked.path);
        metrics::count_request(&asked.method, route, response.status(), begun);
        tracing::debug!(status = response.status().as_u16(), "answered");
        response
    }

    async fn answer(&self, mut request: Request, asked: &Asked) -> Result<Response, ApiError> {
        let is_read = matches!(asked.method, Method::GET | Method::HEAD);
        if asked.method == Method::OPTIONS {
            let allowed = self.document.allowed(&asked.path);
            let allowed = allowed.ok_or_else(|| ApiError::not_found("path"))?;
            return Ok(Response::builder()
                .status(StatusCode::NO_CONTENT)
                .header(header::ALLOW, allowed)
                .finish());
        }
        if asked.method == Method::HEAD {
            request.set_method(Method::GET);
        }
        // PostgreSQL's texts hold no NUL, so nothing has such a name.
        if asked.path.contains("%00") {
            return Err(ApiError::not_found("path"));
        }
        if let Some(position) = min_position(&asked.uri)? {
            self.context
                .reads
                .wait_for(&projections::NAMES, position, self.context.options.write_wait)
                .await?;
        }
        let called = AssertUnwindSafe(self.inner.call(request)).catch_unwind().await;
        let called = called.map_err(|_| ApiError::internal("the handler panicked"))?;
        let mut response = called.map_err(|error| self.error_of(error, asked))?;
        if let Some(answer) = response.extensions_mut().remove::<Answer>() {
            self.write(&mut response, &answer, asked)?;
        }
        if is_read && response.status() == StatusCode::OK && is_unchanged(&response, asked) {
            response.set_status(StatusCode::NOT_MODIFIED);
            response.take_body();
        }
        if asked.method == Method::HEAD {
            response.take_body();
        }
        Ok(response)
    }

    fn error_of(&self, error: poem::Error, asked: &Asked) -> ApiError {
        if error.is::<ApiError>() {
            return match error.downcast::<ApiError>() {
                Ok(error) => error,
                Err(other) => ApiError::internal(other),
            };
        }
        let refused = ApiError::of_poem(&error);
        match self.document.allowed(&asked.path) {
            Some(allowed) if refused.status() == StatusCode::METHOD_NOT_ALLOWED => {
                refused.with_header(header::ALLOW, &allowed)
            }
            _ => refused,
        }
    }

    fn write(
        &self,
        response: &mut Response,
        answer: &Answer,
        asked: &Asked,
    ) -> Result<(), ApiError> {
        let selected = match links::parameter(&asked.uri, "fields") {
            Some(fields) if !fields.is_empty() => self.select(answer, &fields)?,
            _ => None,
        };
        let answer = selected.as_ref().unwrap_or(answer);
        let body = answer.body(asked.is_bare).map_err(ApiError::internal)?;
        if let Some(meta) = &answer.meta
            && let Some(link) = links::link(&asked.uri, meta)
            && let Ok(link) = HeaderValue::from_str(&link)
        {
            response.headers_mut().insert(header::LINK, link);
        }
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if asked.method == Method::GET || asked.method == Method::HEAD {
            complete_caching(headers, &body);
        }
        response.set_body(body);
        Ok(())
    }

    fn select(&self, answer: &Answer, fields: &str) -> Result<Option<Answer>, ApiError> {
        let paths: Vec<Vec<String>> = fields
            .split(',')
            .map(|path| path.trim().split('.').map(str::to_owned).collect())
            .collect();
        for path in &paths {
            if !self.document.has_field(&answer.schema, path) {
                let path = path.join(".");
                let message = format!("There is no field `{path}` to choose.");
                return Err(ApiError::invalid_field("fields", message));
            }
        }
        let data = serde_json::from_str(&answer.data).map_err(ApiError::internal)?;
        Ok(Some(Answer { data: select(&data, &paths).to_string(), ..answer.clone() }))
    }
}

impl Asked {
    /// Gives the request its id and its canonical path.
    fn read(request: &mut Request, clock: &Clock) -> Self {
        let sent = request.headers().get("x-request-id").and_then(|id| id.to_str().ok());
        let is_fit =
            |id: &&str| (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic());
        let request_id =
            sent.filter(is_fit).map_or_else(|| clock.new_ulid().to_string(), str::to_owned);
        let uri = request.uri().clone();
        let alias = canonical(uri.path());
        let is_alias = alias.is_some();
        request.set_data(Arrival { request_id: request_id.clone(), is_alias });
        if let Some(path) = &alias {
            let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
            if let Ok(rewritten) = format!("{path}{query}").parse() {
                *request.uri_mut() = rewritten;
            }
        }
        let if_none_match = request.headers().get(header::IF_NONE_MATCH);
        Self {
            method: request.method().clone(),
            is_bare: alias.is_some(),
            path: alias.unwrap_or_else(|| uri.path().to_owned()),
            uri,
            if_none_match: if_none_match.and_then(|tag| tag.to_str().ok()).map(str::to_owned),
            request_id,
        }
    }
}

/// `/api/v1/…` for the alias `/api/…`.
fn canonical(path: &str) -> Option<String> {
    let rest = path.strip_prefix("/api/")?;
    let first = rest.split('/').next()?;
    (!matches!(first, "v1" | "docs" | "")).then(|| format!("/api/v1/{rest}"))
}

fn min_position(uri: &Uri) -> Result<Option<i64>, ApiError> {
    let Some(text) = links::parameter(uri, "min_position") else { return Ok(None) };
    let position = text.parse().ok().filter(|position: &i64| *position >= 0);
    let message = "`min_position` must be a position: a whole number.";
    position.map(Some).ok_or_else(|| ApiError::invalid_field("min_position", message))
}

/// What a handler did not say: its answer is the asker's own, and its tag is a hash of the body.
fn complete_caching(headers: &mut HeaderMap, body: &str) {
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    }
    if !headers.contains_key(header::ETAG) {
        let mut hasher = DefaultHasher::new();
        body.hash(&mut hasher);
        if let Ok(tag) = HeaderValue::from_str(&format!("W/\"{:016x}\"", hasher.finish())) {
            headers.insert(header::ETAG, tag);
        }
    }
}

fn is_unchanged(response: &Response, asked: &Asked) -> bool {
    let tag = response.headers().get(header::ETAG).and_then(|tag| tag.to_str().ok());
    let (Some(tag), Some(known)) = (tag, &asked.if_none_match) else { return false };
    let weak = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    known.split(',').any(|one| one.trim() == "*" || weak(one) == weak(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alias_leads_to_the_canonical_path() {
        assert_eq!(canonical("/api/backtests/1").as_deref(), Some("/api/v1/backtests/1"));
        for same in ["/api/v1/backtests", "/api/docs", "/livez", "/api/"] {
            assert_eq!(canonical(same), None, "{same}");
        }
    }
}
