//! Around every request: its id, the alias prefix, `min_position`, errors, the shape of the response, 304.

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt as _;
use poem::{
    Endpoint, Request, Response,
    http::{HeaderValue, Method, StatusCode, Uri, header},
    web::CompressionAlgo,
};
use tokio::time::Instant;
use tracing::Instrument as _;

use super::{
    compression, conditional,
    context::{RequestContext, is_traceparent},
    envelope::Envelope,
    error::ApiError,
    links,
    openapi::Document,
    sparse_fields::select,
};
use crate::{context::Context, ops::metrics};

/// What responses depend on.
const VARY: &str = "Authorization, Cookie, Accept, Accept-Encoding, Origin";
/// What responses depend on that are the same for everyone.
const VARY_PUBLIC: &str = "Accept, Accept-Encoding, Origin";

/// Around everything.
pub(crate) struct Middleware<E> {
    inner: E,
    context: Arc<Context>,
    document: Arc<Document>,
}

/// What the middleware must know of the request when it writes the response.
struct RequestInfo {
    method: Method,
    /// As the client wrote it.
    uri: Uri,
    /// Under `/api/v1`, where it is not there already.
    path: String,
    is_bare: bool,
    if_none_match: Option<String>,
    accepted_coding: Option<CompressionAlgo>,
    traceparent: Option<HeaderValue>,
    /// Of the page that may read the response.
    origin: Option<HeaderValue>,
    request_id: String,
}

impl<E> Middleware<E> {
    pub(crate) fn new(inner: E, context: Arc<Context>, document: Arc<Document>) -> Self {
        Self { inner, context, document }
    }
}

impl<E: Endpoint<Output = Response>> Endpoint for Middleware<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let info = RequestInfo::read(&mut request, &self.context);
        let span = tracing::info_span!("request", id = info.request_id, method = %info.method, path = info.path);
        Ok(self.respond(request, info).instrument(span).await)
    }
}

impl<E: Endpoint<Output = Response>> Middleware<E> {
    async fn respond(&self, request: Request, info: RequestInfo) -> Response {
        let begun = Instant::now();
        let mut response = match self.handle(request, &info).await {
            Ok(response) => response,
            Err(error) => {
                error.log();
                error.to_response(&info.request_id, info.is_bare)
            }
        };
        if let Ok(id) = HeaderValue::from_str(&info.request_id) {
            response.headers_mut().insert("x-request-id", id);
        }
        if let Some(origin) = info.origin {
            self.context.cors.allow(&mut response, origin);
        }
        if let Some(traceparent) = info.traceparent {
            response.headers_mut().insert("traceparent", traceparent);
        }
        vary(&mut response);
        let route = self.document.template(&info.path);
        metrics::count_request(&info.method, route, response.status(), begun);
        tracing::debug!(status = response.status().as_u16(), "responded");
        response
    }

    async fn handle(&self, mut request: Request, info: &RequestInfo) -> Result<Response, ApiError> {
        let is_read = matches!(info.method, Method::GET | Method::HEAD);
        if info.method == Method::OPTIONS {
            let allowed = self.document.allowed(&info.path);
            let allowed = allowed.ok_or_else(|| ApiError::not_found("path"))?;
            if let Some(response) = self.context.cors.preflight(&request, &allowed) {
                return Ok(response);
            }
            return Ok(Response::builder()
                .status(StatusCode::NO_CONTENT)
                .header(header::ALLOW, allowed)
                .finish());
        }
        if info.method == Method::HEAD {
            request.set_method(Method::GET);
        }
        // PostgreSQL's texts hold no NUL, so nothing has such a name.
        if info.path.contains("%00") {
            return Err(ApiError::not_found("path"));
        }
        let called = AssertUnwindSafe(self.inner.call(request)).catch_unwind().await;
        let called = called.map_err(|_| ApiError::internal("the handler panicked"))?;
        let mut response = called.map_err(|error| self.error_of(error, info))?;
        if let Some(envelope) = response.extensions_mut().remove::<Envelope>() {
            self.write(&mut response, &envelope, info)?;
        }
        let known = info.if_none_match.as_deref();
        let is_unchanged = || conditional::is_unchanged(&response, known);
        if is_read && response.status() == StatusCode::OK && is_unchanged() {
            response.set_status(StatusCode::NOT_MODIFIED);
            response.take_body();
        }
        if let Some(algorithm) = info.accepted_coding
            && response.status() != StatusCode::NOT_MODIFIED
        {
            response = compression::compress(response, algorithm).await?;
        }
        if info.method == Method::HEAD {
            response.take_body();
        }
        Ok(response)
    }

    fn error_of(&self, error: poem::Error, info: &RequestInfo) -> ApiError {
        if error.is::<ApiError>() {
            return match error.downcast::<ApiError>() {
                Ok(error) => error,
                Err(other) => ApiError::internal(other),
            };
        }
        let refused = ApiError::of_poem(&error);
        match self.document.allowed(&info.path) {
            Some(allowed) if refused.status() == StatusCode::METHOD_NOT_ALLOWED => {
                refused.with_header(header::ALLOW, &allowed)
            }
            _ => refused,
        }
    }

    fn write(
        &self,
        response: &mut Response,
        envelope: &Envelope,
        info: &RequestInfo,
    ) -> Result<(), ApiError> {
        let selected = match links::parameter(&info.uri, "fields") {
            Some(fields) if !fields.is_empty() => self.select(envelope, &fields)?,
            _ => None,
        };
        let envelope = selected.as_ref().unwrap_or(envelope);
        let body = envelope.body(info.is_bare).map_err(ApiError::internal)?;
        if let Some(meta) = &envelope.meta
            && let Some(link) = links::link(&info.uri, meta)
            && let Ok(link) = HeaderValue::from_str(&link)
        {
            response.headers_mut().insert(header::LINK, link);
        }
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if info.method == Method::GET || info.method == Method::HEAD {
            conditional::complete_caching(headers, &body);
        }
        response.set_body(body);
        Ok(())
    }

    fn select(&self, envelope: &Envelope, fields: &str) -> Result<Option<Envelope>, ApiError> {
        let paths: Vec<Vec<String>> = fields
            .split(',')
            .map(|path| path.trim().split('.').map(str::to_owned).collect())
            .collect();
        for path in &paths {
            if !self.document.has_field(&envelope.schema, path) {
                let path = path.join(".");
                let message = format!("There is no field `{path}`.");
                return Err(ApiError::invalid_field("fields", message));
            }
        }
        let data = serde_json::from_str(&envelope.data).map_err(ApiError::internal)?;
        Ok(Some(Envelope { data: select(&data, &paths).to_string(), ..envelope.clone() }))
    }
}

impl RequestInfo {
    /// Gives the request its id and its canonical path.
    fn read(request: &mut Request, context: &Context) -> Self {
        let sent = request.headers().get("x-request-id").and_then(|id| id.to_str().ok());
        let is_fit =
            |id: &&str| (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic());
        let request_id =
            sent.filter(is_fit).map_or_else(|| context.clock.new_ulid().to_string(), str::to_owned);
        let uri = request.uri().clone();
        let asked = without_slash(uri.path());
        let alias = canonical(asked);
        let is_alias = alias.is_some();
        request.set_data(RequestContext { request_id: request_id.clone(), is_alias });
        let path = alias.unwrap_or_else(|| asked.to_owned());
        if path != uri.path() {
            let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
            if let Ok(rewritten) = format!("{path}{query}").parse() {
                *request.uri_mut() = rewritten;
            }
        }
        let if_none_match = request.headers().get(header::IF_NONE_MATCH);
        let traceparent =
            request.headers().get("traceparent").filter(|value| is_traceparent(value));
        Self {
            method: request.method().clone(),
            is_bare: is_alias,
            path,
            uri,
            accepted_coding: compression::accepted(request.headers()),
            traceparent: traceparent.cloned(),
            origin: context.cors.allowed(request.headers()),
            if_none_match: if_none_match.and_then(|tag| tag.to_str().ok()).map(str::to_owned),
            request_id,
        }
    }
}

/// Says on what the response depends besides its path, so that no shared cache shows it to others.
fn vary(response: &mut Response) {
    let caching = response.headers().get(header::CACHE_CONTROL);
    let is_public = caching.is_some_and(|value| value.as_bytes().starts_with(b"public"));
    let names = if is_public { VARY_PUBLIC } else { VARY };
    response.headers_mut().insert(header::VARY, HeaderValue::from_static(names));
}

/// The path without a slash at its end, which makes no difference.
fn without_slash(path: &str) -> &str {
    match path.trim_end_matches('/') {
        "" => path,
        trimmed => trimmed,
    }
}

/// `/api/v1/…` for the alias `/api/…`.
fn canonical(path: &str) -> Option<String> {
    let rest = path.strip_prefix("/api/")?;
    let first = rest.split('/').next()?;
    (!matches!(first, "v1" | "docs" | "")).then(|| format!("/api/v1/{rest}"))
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
