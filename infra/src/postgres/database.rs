//! The pool of connections as the application's role, and the migrations as the owner's.

/// A pool; clones share it.
#[derive(Clone)]
pub struct Database {
    pool: deadpool_postgres::Pool,
}

/// What can go wrong between us and Postgres; the message is for operators, never for clients.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// No connection could be had: worth a retry (HTTP 503).
    #[error("the database cannot be reached: {0}")]
    Unavailable(String),
    /// A statement failed.
    #[error("{0}")]
    Statement(#[from] tokio_postgres::Error),
    /// A row that should not be.
    #[error("unexpected data: {0}")]
    Corrupt(String),
}

impl From<deadpool_postgres::PoolError> for DatabaseError {
    fn from(error: deadpool_postgres::PoolError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl Database {
    /// Connects as the application's role (`SET ROLE backtrail_app` on each pooled connection).
    ///
    /// # Errors
    /// [`DatabaseError::Unavailable`] when no connection can be had.
    pub async fn connect(_url: &str, _connections_max: usize) -> Result<Self, DatabaseError> {
        todo!()
    }

    /// Brings the schema up to date, as the owner; idempotent, safe beside other processes.
    ///
    /// # Errors
    /// The migration that failed.
    pub async fn migrate(_url: &str) -> Result<(), DatabaseError> {
        todo!()
    }

    /// A pooled connection.
    ///
    /// # Errors
    /// [`DatabaseError::Unavailable`] when none can be had in time.
    pub async fn get(&self) -> Result<deadpool_postgres::Object, DatabaseError> {
        Ok(self.pool.get().await?)
    }
}
