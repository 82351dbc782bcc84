//! What a request says in its headers, and what the middleware found out about it.

use std::{sync::Arc, time::Duration};

use poem::{
    Request,
    http::{HeaderMap, HeaderValue},
};

use super::{conditional, error::ApiError, idempotency};
use crate::context::Context;

/// What the middleware passes to the handlers.
#[derive(Debug, Clone)]
pub(crate) struct RequestContext {
    pub(crate) request_id: String,
    /// It came by `/api/…` instead of `/api/v1/…`.
    pub(crate) is_alias: bool,
}

/// What the headers of a request ask for.
pub(crate) struct Preferences {
    pub(crate) request_id: String,
    pub(crate) traceparent: Option<String>,
    pub(crate) if_match: Option<Vec<i64>>,
    pub(crate) idempotency_key: Option<String>,
    /// It came by `/api/…` instead of `/api/v1/…`.
    pub(crate) is_alias: bool,
    /// `Prefer: respond-async`.
    pub(crate) respond_async: bool,
    /// `Prefer: wait=N`.
    pub(crate) wait: Option<Duration>,
}

/// Returns what the service is made of.
///
/// # Errors
/// 500 if the endpoint was built without it.
pub(crate) fn context(request: &Request) -> Result<&Arc<Context>, ApiError> {
    request.data::<Arc<Context>>().ok_or_else(|| ApiError::internal("the context is missing"))
}

impl Preferences {
    /// Reads the headers of a request.
    ///
    /// # Errors
    /// 422 for one that cannot be read.
    pub(crate) fn read(request: &Request) -> Result<Self, ApiError> {
        let headers = request.headers();
        let (respond_async, wait) = preferences(headers);
        let known = request.data::<RequestContext>();
        let traceparent = headers.get("traceparent").filter(|value| is_traceparent(value));
        Ok(Self {
            request_id: known.map(|known| known.request_id.clone()).unwrap_or_default(),
            is_alias: known.is_some_and(|known| known.is_alias),
            traceparent: traceparent.and_then(|value| value.to_str().ok()).map(str::to_owned),
            if_match: conditional::if_match(headers)?,
            idempotency_key: idempotency::key(headers)?,
            respond_async,
            wait,
        })
    }

    /// Returns the path under which the client finds what it created.
    pub(crate) fn prefix(&self) -> &'static str {
        if self.is_alias { "/api" } else { "/api/v1" }
    }
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

/// Whether it may be a `traceparent` of W3C's Trace Context.
pub(crate) fn is_traceparent(value: &HeaderValue) -> bool {
    value.len() == 55
        && value.as_bytes().iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-')
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
}
