//! Errors that more than one room of this crate returns.

use domain::aggregates::DecodeError;
use infra::postgres::DatabaseError;

/// A query failed.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The cursor belongs to another order.
    #[error("the cursor is not valid")]
    BadCursor,
    /// The read model did not catch up in time (HTTP 503).
    #[error(transparent)]
    Behind(#[from] Behind),
    /// Too much is computed for others (HTTP 503).
    #[error("too many computations are under way")]
    Busy,
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl From<tokio_postgres::Error> for QueryError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error.into())
    }
}

/// A read model did not reach the position in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{read_model} is behind position {position}")]
pub struct Behind {
    pub read_model: &'static str,
    pub position: i64,
}

/// No read model has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no read model `{0}`")]
pub struct UnknownReadModel(pub String);

/// An event cannot be folded.
#[derive(Debug, thiserror::Error)]
pub enum Poison {
    #[error("the payload is not an event of its type: {0}")]
    Undecodable(#[from] DecodeError),
    #[error("{0}")]
    Unfit(String),
}
