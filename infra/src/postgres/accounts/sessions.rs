//! Sessions: random tokens, stored as SHA-256 hashes, that expire.

use chrono::{DateTime, Duration, Utc};
use rand::RngCore;
use sha2::{Digest, Sha256};

use super::{
    error::AccountError,
    passwords::{NO_PASSWORD, verify_password},
    users::{Accounts, User, read},
};
use crate::postgres::database::DatabaseError;

/// How long a session lasts.
pub const SESSION_DAYS: i64 = 30;

/// A new session; the token is shown this once.
#[derive(Clone)]
pub struct Session {
    /// 64 hexadecimal digits of 32 random bytes.
    pub token: String,
    pub user: User,
    pub expires_at: DateTime<Utc>,
}

impl Accounts {
    /// Signs in.
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
            None => NO_PASSWORD.to_owned(),
        };
        let is_right = verify_password(password.to_owned(), hash).await?;
        let Some(row) = found.filter(|_| is_right) else {
            return Err(AccountError::WrongCredentials);
        };
        let user = read(&row)?;
        let token = new_token();
        let now = self.clock.now();
        let expires_at = now + Duration::days(SESSION_DAYS);
        connection
            .execute(
                "INSERT INTO sessions (token_hash, user_id, expires_at, created_at) VALUES ($1, $2, $3, $4)",
                &[&token_hash(&token), &user.id.uuid(), &expires_at, &now],
            )
            .await?;
        Ok(Session { token, user, expires_at })
    }

    /// Returns the user of a session token; `None` if it is unknown or expired.
    ///
    /// # Errors
    /// The database.
    pub async fn authenticate(&self, token: &str) -> Result<Option<User>, DatabaseError> {
        let connection = self.database.get().await?;
        let statement = connection
            .prepare_cached(
                "SELECT u.id, u.email, u.name, u.created_at FROM sessions s JOIN users u ON u.id = s.user_id
                 WHERE s.token_hash = $1 AND s.expires_at > $2",
            )
            .await?;
        let row =
            connection.query_opt(&statement, &[&token_hash(token), &self.clock.now()]).await?;
        row.as_ref().map(read).transpose()
    }

    /// Ends the session of this token; an unknown token is not an error.
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

fn new_token() -> String {
    let mut bytes = [0_u8; 32];
    rand::rng().fill_bytes(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn token_hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_long_and_differ() {
        let (one, other) = (new_token(), new_token());
        assert_eq!(one.len(), 64);
        assert_ne!(one, other);
    }
}
