//! What can go wrong with accounts.

use crate::postgres::database::DatabaseError;

/// Why an account could not be created or used.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    #[error("this email address is taken")]
    EmailTaken,
    /// The key of the request was used for another body.
    #[error("this Idempotency-Key was used with another body")]
    KeyReused,
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
