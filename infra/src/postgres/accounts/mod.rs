//! Users and sessions: plain tables, passwords by argon2id, tokens stored hashed.

use argon2::{Argon2, PasswordHash, PasswordHasher, PasswordVerifier, password_hash::SaltString};
use chrono::{DateTime, Duration, Utc};
use domain::ids::UserId;
use rand::RngCore;
use sha2::{Digest, Sha256};
use tokio_postgres::{Row, error::SqlState};
use uuid::Uuid;

use super::database::{Database, DatabaseError};
use crate::clock;

/// How long a session lasts.
pub const SESSION_DAYS: i64 = 30;

/// A hash that no password has: an unknown address takes as long to refuse as a wrong password.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5LWhhcy10aGlz$\
                      Jm3qF8WcXo3hQv0dZ0m8dJc1n5zVw0Qm2n9kq3J4X7o";

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
    /// 64 hexadecimal digits of 32 random bytes.
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

impl From<tokio_postgres::Error> for AccountError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error.into())
    }
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
        email: &str,
        password: &str,
        name: &str,
    ) -> Result<User, AccountError> {
        let hash = hash_password(password.to_owned()).await?;
        let connection = self.database.get().await.map_err(AccountError::Database)?;
        let inserted = connection
            .query_one(
                "INSERT INTO users (id, email, name, password_hash) VALUES ($1, $2, $3, $4)
                 RETURNING id, email, name, created_at",
                &[&clock::new_uuid(), &email, &name, &hash],
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

    /// Opens a session.
    ///
    /// # Errors
    /// [`AccountError::WrongCredentials`] (in the same time for an unknown address), the database.
    pub async fn open_session(&self, email: &str, password: &str) -> Result<Session, AccountError> {
        let connection = self.database.get().await.map_err(AccountError::Database)?;
        let found = connection
            .query_opt(
                "SELECT id, email, name, created_at, password_hash FROM users
                 WHERE lower(email) = lower($1)",
                &[&email],
            )
            .await?;
        let hash = match &found {
            Some(row) => row.try_get("password_hash")?,
            None => NOBODY.to_owned(),
        };
        let is_right = verify_password(password.to_owned(), hash).await?;
        let Some(row) = found.filter(|_| is_right) else {
            return Err(AccountError::WrongCredentials);
        };
        let user = user(&row)?;
        let token = new_token();
        let expires_at = clock::now() + Duration::days(SESSION_DAYS);
        connection
            .execute(
                "INSERT INTO sessions (token_hash, user_id, expires_at) VALUES ($1, $2, $3)",
                &[&token_hash(&token), &user.id.uuid(), &expires_at],
            )
            .await?;
        Ok(Session { token, user, expires_at })
    }

    /// The user whose valid session token this is.
    ///
    /// # Errors
    /// The database.
    pub async fn authenticate(&self, token: &str) -> Result<Option<User>, DatabaseError> {
        let connection = self.database.get().await?;
        let statement = connection
            .prepare_cached(
                "SELECT u.id, u.email, u.name, u.created_at FROM sessions s JOIN users u ON u.id = s.user_id
                 WHERE s.token_hash = $1 AND s.expires_at > now()",
            )
            .await?;
        let row = connection.query_opt(&statement, &[&token_hash(token)]).await?;
        row.as_ref().map(user).transpose()
    }

    /// Ends the session of this token; one that has ended is no error.
    ///
    /// # Errors
    /// The database.
    pub async fn close_session(&self, token: &str) -> Result<(), DatabaseError> {
        let connection = self.database.get().await?;
        connection
            .execute("DELETE FROM sessions WHERE token_hash = $1", &[&token_hash(token)])
            .await?;
        Ok(())
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

fn new_token() -> String {
    let mut bytes = [0_u8; 32];
    rand::rng().fill_bytes(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn token_hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

/// argon2id with the crate's defaults (19 MiB, 2 passes), away from the async threads.
async fn hash_password(password: String) -> Result<String, AccountError> {
    blocking(move || {
        let mut salt = [0_u8; 16];
        rand::rng().fill_bytes(&mut salt);
        let salt = SaltString::encode_b64(&salt)?;
        Ok(Argon2::default().hash_password(password.as_bytes(), &salt)?.to_string())
    })
    .await
}

async fn verify_password(password: String, hash: String) -> Result<bool, AccountError> {
    blocking(move || {
        let hash = PasswordHash::new(&hash)?;
        Ok(Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
    })
    .await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, argon2::password_hash::Error> + Send + 'static,
) -> Result<T, AccountError> {
    let result = tokio::task::spawn_blocking(work).await;
    let result = result.map_err(|error| AccountError::Hash(error.to_string()))?;
    result.map_err(|error| AccountError::Hash(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_matches_its_own_hash_alone() {
        let hash = hash_password("correct horse battery".into()).await.unwrap();
        assert!(hash.starts_with("$argon2id$"));
        assert!(verify_password("correct horse battery".into(), hash.clone()).await.unwrap());
        assert!(!verify_password("correct horse".into(), hash).await.unwrap());
    }

    #[tokio::test]
    async fn the_hash_of_nobody_is_well_formed_and_matches_nothing() {
        assert!(!verify_password("nobody".into(), NOBODY.into()).await.unwrap());
    }

    #[test]
    fn tokens_are_long_and_differ() {
        let (one, other) = (new_token(), new_token());
        assert_eq!(one.len(), 64);
        assert_ne!(one, other);
    }
}
