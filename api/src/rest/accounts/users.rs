//! `/users`: signing up, and the signed-in user.

use domain::error_code::ErrorCode;
use infra::postgres::accounts::{NewUser, User};
use poem_openapi::{Object, OpenApi};
use serde::Serialize;

use crate::{
    http::{
        caller::{Caller, Visitor},
        error::ApiError,
        fields::{Field, Fields, Input, Kind, field},
        json::ValidJson,
        request_key,
        response::Item,
        values::time_text,
    },
    rest::Chapter,
};

/// Signing up, and the signed-in user.
pub(crate) struct Users;

/// A user.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "User")]
pub(crate) struct UserResource {
    id: String,
    email: String,
    name: String,
    created_at: String,
}

impl From<User> for UserResource {
    fn from(user: User) -> Self {
        Self {
            id: user.id.to_string(),
            email: user.email,
            name: user.name,
            created_at: time_text(user.created_at),
        }
    }
}

/// Who signs up.
pub(crate) struct UserBody {
    email: String,
    password: String,
    name: String,
}

impl Input for UserBody {
    const NAME: &'static str = "NewUser";
    const EXAMPLE: &'static str =
        r#"{"email": "ada@example.com", "password": "correct horse battery", "name": "Ada"}"#;
    const SECRETS: &'static [&'static str] = &["password"];
    const FIELDS: &'static [Field] = &[
        field("email", Kind::Text, "The address used to sign in.").required(),
        field("password", Kind::Password, "12 to 1,024 characters.").required(),
        field("name", Kind::Text, "At most 200 characters."),
    ];

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        fields.require(&["email"]);
        fields.require(&["password"]);
        let email = fields.text(&["email"], 254).map(|email| email.trim().to_lowercase());
        if email.as_deref().is_some_and(|email| !is_email(email)) {
            fields.error("email", ErrorCode::Invalid, "`email` must be an email address.");
        }
        let password = fields.text(&["password"], 1_024);
        if password.as_deref().is_some_and(|password| password.chars().count() < 12) {
            fields.error(
                "password",
                ErrorCode::TooShort,
                "`password` must have at least 12 characters.",
            );
        }
        let name = fields.text(&["name"], 200).unwrap_or_default();
        Some(Self { email: email?, password: password?, name: name.trim().to_owned() })
    }
}

#[OpenApi(tag = "Chapter::Accounts")]
impl Users {
    /// Signs up.
    #[oai(path = "/users", method = "post", operation_id = "createUser")]
    async fn create(
        &self,
        visitor: Visitor,
        body: ValidJson<UserBody>,
    ) -> Result<Item<UserResource, 201>, ApiError> {
        let key = visitor.request_key("POST /users", &body.hash);
        let UserBody { email, password, name } = &body.value;
        let user = NewUser { email, password, name };
        let created = visitor.api.accounts.create_user(user, key.as_ref()).await?;
        let item = Item::new(created.user.into());
        Ok(if created.is_replayed { request_key::replayed(item) } else { item })
    }

    /// Returns the signed-in user.
    #[oai(path = "/users/me", method = "get", operation_id = "getMe")]
    async fn me(&self, caller: Caller) -> Item<UserResource> {
        Item::new(caller.user.into())
    }
}

/// One `@` with something before it and a name with a dot or `localhost` after it.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let is_plain = |part: &str| {
        !part.is_empty() && part.chars().all(|c| !c.is_whitespace() && !c.is_control() && c != '@')
    };
    is_plain(local) && is_plain(domain) && !domain.starts_with('.') && !domain.ends_with('.')
}
