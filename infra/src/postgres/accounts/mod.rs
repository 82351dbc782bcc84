//! Users and their sessions, in plain tables: who signs in is not part of the log.

mod passwords;
mod sessions;

use chrono::{DateTime, Utc};
use domain::ids::UserId;
use tokio_postgres::{Row, error::SqlState};
use uuid::Uuid;

pub use self::sessions::{SESSION_DAYS, Session};

use self::passwords::hash_password;
use super::database::{Database, DatabaseError};
use crate::clock::Clock;

/// Users and their sessions.
#[derive(Clone)]
pub struct Accounts {
    database: Database,
    clock: Clock,
}

/// A user, without the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    pub email: String,
    pub name: String,
    pub created_at: DateTime<Utc>,
}

/// Why an account could not be created or used.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    #[error("this email address is taken")]
    EmailTaken,
    #[error("the email address or the password is wrong")]
    WrongCredentials,
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error("hashing failed: {0}")]
    Hash(String),
}

impl From<tokio_postgres::Error> for AccountError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error.into())
    }
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

fn user(row: &Row) -> Result<User, DatabaseError> {
    Ok(User {
        id: UserId::new(row.try_get::<_, Uuid>("id")?),
        email: row.try_get("email")?,
        name: row.try_get("name")?,
        created_at: row.try_get("created_at")?,
    })
}
