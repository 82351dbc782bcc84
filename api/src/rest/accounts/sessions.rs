//! `/sessions`: signing in and out.

use poem_openapi::{Object, OpenApi};
use serde::Serialize;

use crate::{
    http::{
        caller::{Caller, Visitor},
        error::ApiError,
        fields::{Field, Fields, Input, Kind, field},
        json::ValidJson,
        response::{Item, NoContent, WithHeaders as _},
        values::time_text,
    },
    rest::Chapter,
};

/// Signing in and out.
pub(crate) struct Sessions;

/// A session. The token is shown only once.
#[derive(Debug, Serialize, Object)]
pub(crate) struct Session {
    token: String,
    user: SessionUser,
    expires_at: String,
}

/// The user that the session belongs to.
#[derive(Debug, Serialize, Object)]
pub(crate) struct SessionUser {
    id: String,
    email: String,
    name: String,
}

/// Who signs in.
pub(crate) struct Credentials {
    email: String,
    password: String,
}

impl Input for Credentials {
    const NAME: &'static str = "Credentials";
    const EXAMPLE: &'static str =
        r#"{"email": "ada@example.com", "password": "correct horse battery"}"#;
    const FIELDS: &'static [Field] = &[
        field("email", Kind::Text, "The one used to sign up.").required(),
        field("password", Kind::Password, "The one used to sign up.").required(),
    ];

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        fields.require(&["email"]);
        fields.require(&["password"]);
        let email = fields.text(&["email"], 254).map(|email| email.trim().to_lowercase());
        let password = fields.text(&["password"], 1_024);
        Some(Self { email: email?, password: password? })
    }
}

#[OpenApi(tag = "Chapter::Accounts")]
impl Sessions {
    /// Signs in.
    #[oai(path = "/sessions", method = "post", operation_id = "openSession")]
    async fn open(
        &self,
        visitor: Visitor,
        body: ValidJson<Credentials>,
    ) -> Result<Item<Session>, ApiError> {
        let Credentials { email, password } = body.value;
        let session = visitor.api.accounts.open_session(&email, &password).await?;
        let user = SessionUser {
            id: session.user.id.to_string(),
            email: session.user.email,
            name: session.user.name,
        };
        let expires_at = time_text(session.expires_at);
        let session = Session { token: session.token, user, expires_at };
        Ok(Item::new(session).with_header(poem::http::header::CACHE_CONTROL, "no-store"))
    }

    /// Signs out and revokes the token.
    #[oai(path = "/sessions", method = "delete", operation_id = "closeSession")]
    async fn close(&self, caller: Caller) -> Result<NoContent, ApiError> {
        caller.api.accounts.close_session(&caller.token).await?;
        Ok(NoContent::default())
    }
}
