//! Pages of lists: by number with a total, or by cursor.

/// Which page is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageRequest {
    /// From 1.
    Number { page: i64, limit: i64 },
    /// After the row that the opaque cursor names.
    Cursor { cursor: String, limit: i64 },
}

/// One page.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    pub rows: Vec<T>,
    /// Exact on numbered pages; none with a cursor.
    pub total: Option<i64>,
    /// For the next page; none at the end.
    pub next_cursor: Option<String>,
}

/// Why a query has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    #[error("the cursor is not valid")]
    BadCursor,
    #[error(transparent)]
    Database(#[from] infra::postgres::DatabaseError),
}
