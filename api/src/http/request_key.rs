//! POSTs that append no events, once for each `Idempotency-Key`; those that do are remembered with their events.

use infra::postgres::request_keys::RequestKey;
use poem::http::HeaderName;

use super::{
    caller::{Caller, Visitor},
    error::ApiError,
    response::WithHeaders,
};

/// Marks the response to a request that was carried out before.
pub(crate) fn replayed<T: WithHeaders>(response: T) -> T {
    response.with_header(HeaderName::from_static("idempotency-replayed"), "true")
}

impl Visitor {
    /// Returns the key of a request that appends no events.
    pub(crate) fn request_key(&self, route: &str, body_hash: &[u8]) -> Option<RequestKey> {
        let key = self.idempotency_key.clone()?;
        let (route, body_hash) = (route.to_owned(), body_hash.to_owned());
        Some(RequestKey { owner: self.client, route, key, body_hash })
    }
}

impl Caller {
    /// Remembers a request that changes nothing under its key; returns whether the key was used for it before.
    ///
    /// # Errors
    /// 422 if the key was used with another body; the database.
    pub(crate) async fn remember(&self, route: &str, body_hash: &[u8]) -> Result<bool, ApiError> {
        let Some(key) = self.headers.idempotency_key.clone() else { return Ok(false) };
        let (route, body_hash) = (route.to_owned(), body_hash.to_owned());
        let key = RequestKey { owner: self.user.id.uuid(), route, key, body_hash };
        match self.api.request_keys.remember(&key).await? {
            Some(earlier) if !earlier.is_same => Err(ApiError::idempotency_mismatch()),
            earlier => Ok(earlier.is_some()),
        }
    }
}
