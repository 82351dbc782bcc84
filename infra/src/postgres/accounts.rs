//! Users and sessions: plain tables, passwords by argon2id, tokens stored hashed.

use chrono::{DateTime, Utc};
use domain::ids::UserId;

use super::database::{Database, DatabaseError};

/// Users and their sessions.
#[derive(Clone)]
pub struct Accounts {
    database: Database,
}

/// A user without the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    pub email: String,
    pub name: String,
    pub created_at: DateTime<Utc>,
}

/// A new session; the token is shown this once.
#[derive(Clone)]
pub struct Session {
    pub token: String,
    pub user: User,
    pub expires_at: DateTime<Utc>,
}

/// Why an account could not be made or used.
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

impl Accounts {
    /// Those in `database`.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// Signs a user up; the caller checked the email's form and the password's length.
    ///
    /// # Errors
    /// [`AccountError::EmailTaken`], the database.
    pub async fn create_user(
        &self,
        _email: &str,
        _password: &str,
        _name: &str,
    ) -> Result<User, AccountError> {
        let _ = &self.database;
        todo!()
    }

    /// Opens a session.
    ///
    /// # Errors
    /// [`AccountError::WrongCredentials`] (in the same time for an unknown address), the database.
    pub async fn open_session(
        &self,
        _email: &str,
        _password: &str,
    ) -> Result<Session, AccountError> {
        todo!()
    }

    /// The user whose valid session token this is.
    ///
    /// # Errors
    /// The database.
    pub async fn authenticate(&self, _token: &str) -> Result<Option<User>, DatabaseError> {
        todo!()
    }

    /// Ends the session of this token.
    ///
    /// # Errors
    /// The database.
    pub async fn close_session(&self, _token: &str) -> Result<(), DatabaseError> {
        todo!()
    }
}
