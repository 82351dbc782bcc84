//! Users: their accounts, and how one is created.

use chrono::{DateTime, Utc};
use domain::ids::UserId;
use tokio_postgres::{Row, error::SqlState};
use uuid::Uuid;

use super::{error::AccountError, passwords::hash_password};
use crate::{
    clock::Clock,
    postgres::database::{Database, DatabaseError},
};

/// Users and their sessions.
#[derive(Clone)]
pub struct Accounts {
    pub(super) database: Database,
    pub(super) clock: Clock,
}

/// A user, without the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    pub email: String,
    pub name: String,
    pub created_at: DateTime<Utc>,
}

impl Accounts {
    /// The accounts stored in `database`; `clock` says when a session expires.
    #[must_use]
    pub fn new(database: Database, clock: Clock) -> Self {
        Self { database, clock }
    }

    /// Creates a user; the caller has checked the form of the email address and the length of the password.
    ///
    /// # Errors
    /// [`AccountError::EmailTaken`], the database.
    pub async fn create_user(
        &self,
        email: &str,
        password: &str,
        name: &str,
    ) -> Result<User, AccountError> {
        let hash = hash_password(password.to_owned()).await?;
        let connection = self.database.get().await.map_err(AccountError::Database)?;
        let inserted = connection
            .query_one(
                "INSERT INTO users (id, email, name, password_hash, created_at) VALUES ($1, $2, $3, $4, $5)
                 RETURNING id, email, name, created_at",
                &[&self.clock.new_uuid(), &email, &name, &hash, &self.clock.now()],
            )
            .await;
        match inserted {
            Ok(row) => Ok(user(&row)?),
            Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
                Err(AccountError::EmailTaken)
            }
            Err(error) => Err(error.into()),
        }
    }
}

pub(super) fn user(row: &Row) -> Result<User, DatabaseError> {
    Ok(User {
        id: UserId::new(row.try_get::<_, Uuid>("id")?),
        email: row.try_get("email")?,
        name: row.try_get("name")?,
        created_at: row.try_get("created_at")?,
    })
}
