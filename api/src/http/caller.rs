//! Who sends a request.

use std::sync::Arc;

use commands::{CommandContext, IdempotencyKey};
use domain::access::Actor;
use infra::postgres::accounts::User;
use poem::{FromRequest, Request, RequestBody};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions, registry::Registry};
use uuid::Uuid;

use super::{
    auth::bearer,
    context::{Preferences, context},
    error::ApiError,
    idempotency, min_position,
};
use crate::context::Context;

/// Anyone.
pub(crate) struct Visitor {
    pub(crate) api: Arc<Context>,
    /// Stands for the address of the client.
    pub(super) client: Uuid,
    pub(super) idempotency_key: Option<String>,
}

/// A user who is signed in.
pub(crate) struct Caller {
    pub(crate) api: Arc<Context>,
    pub(crate) user: User,
    /// The token of the session.
    pub(crate) token: String,
    pub(crate) headers: Preferences,
}

impl Caller {
    /// Returns the user whose token the request bears, once the read models have reached the `min_position` of a read.
    ///
    /// # Errors
    /// 401; 422 for headers or a position that cannot be read, or a position beyond the end of the log; 503 if the read models
    /// do not reach it in time.
    pub(crate) async fn of(request: &Request) -> Result<Self, ApiError> {
        let api = Arc::clone(context(request)?);
        let token = bearer::token(request.headers()).ok_or_else(|| {
            ApiError::unauthorized("Sign in: send `Authorization: Bearer <token>`.")
        })?;
        let user = api.accounts.authenticate(token).await?;
        let user =
            user.ok_or_else(|| ApiError::unauthorized("The token is invalid or has expired."))?;
        let headers = Preferences::read(request)?;
        min_position::wait_for(request, &api).await?;
        Ok(Self { user, token: token.to_owned(), headers, api })
    }

    /// Returns the user as commands and the ownership check know them.
    pub(crate) fn actor(&self) -> Actor {
        Actor::User(self.user.id)
    }

    /// Returns what goes with a command.
    pub(crate) fn command(&self) -> CommandContext {
        CommandContext {
            actor: self.actor(),
            request_id: self.headers.request_id.clone(),
            traceparent: self.headers.traceparent.clone(),
            idempotency: None,
            expected_sequences: self.headers.if_match.clone(),
        }
    }

    /// Returns what goes with the command of a POST: its `Idempotency-Key`, if there is one, for this route and body. Without a
    /// body, `route` names all that the command depends on.
    pub(crate) fn post(&self, route: &str, body_hash: &[u8]) -> CommandContext {
        let idempotency = self.headers.idempotency_key.clone().map(|key| IdempotencyKey {
            route: route.to_owned(),
            key,
            body_hash: body_hash.to_owned(),
        });
        CommandContext { idempotency, expected_sequences: None, ..self.command() }
    }

    /// Returns what goes with the command of a POST without a body that changes what exists: `If-Match` counts, too.
    pub(crate) fn action(&self, route: &str) -> CommandContext {
        let expected_sequences = self.headers.if_match.clone();
        CommandContext { expected_sequences, ..self.post(route, &[]) }
    }
}

impl<'a> FromRequest<'a> for Visitor {
    async fn from_request(request: &'a Request, _body: &mut RequestBody) -> poem::Result<Self> {
        let address = request.remote_addr().as_socket_addr().map(|address| address.ip());
        let address = address.map_or_else(String::new, |address| address.to_string());
        Ok(Self {
            api: Arc::clone(context(request)?),
            client: Uuid::new_v5(&Uuid::NAMESPACE_URL, address.as_bytes()),
            idempotency_key: idempotency::key(request.headers())?,
        })
    }
}

impl<'a> ApiExtractor<'a> for Caller {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        registry.create_security_scheme(bearer::SCHEME, bearer::scheme());
    }

    fn security_schemes() -> Vec<&'static str> {
        vec![bearer::SCHEME]
    }

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        Ok(Self::of(request).await?)
    }
}
