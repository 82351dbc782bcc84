//! `User`: the signed-in user.

use async_graphql::{Context, ID, Object, Result, SimpleObject};

use crate::graphql::{context::caller, scalars::Time};

/// Queries of users.
#[derive(Default)]
pub(crate) struct UserQuery;

/// A user.
#[derive(SimpleObject)]
pub(crate) struct User {
    id: ID,
    email: String,
    name: String,
    created_at: Time,
}

#[Object]
impl UserQuery {
    /// Returns the signed-in user.
    async fn me(&self, context: &Context<'_>) -> Result<User> {
        let user = &caller(context)?.user;
        Ok(User {
            id: user.id.to_string().into(),
            email: user.email.clone(),
            name: user.name.clone(),
            created_at: Time(user.created_at),
        })
    }
}
