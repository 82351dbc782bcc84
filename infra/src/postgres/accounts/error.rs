//! What can go wrong with accounts.

use crate::postgres::database::DatabaseError;

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
