//! What can go wrong between Backtrail and PostgreSQL.

use domain::aggregates::EventAhead;
use tokio_postgres::error::SqlState;

/// What can go wrong between Backtrail and PostgreSQL; the message is for operators, never for clients.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// No connection could be made: worth a retry (HTTP 503).
    #[error("the database cannot be reached: {0}")]
    Unavailable(String),
    /// A statement failed.
    #[error("{}", statement_message(.0))]
    Statement(#[from] tokio_postgres::Error),
    /// A row that should not exist.
    #[error("unexpected data: {0}")]
    Corrupt(String),
    /// A newer version of Backtrail wrote the event; a process of that version can read it (HTTP 503).
    #[error(transparent)]
    Ahead(#[from] EventAhead),
    /// The connecting user lacks a right; says what to do.
    #[error("{0}")]
    Forbidden(String),
    /// The schema could not be brought up to date.
    #[error("the migrations failed: {}", with_sources(.0))]
    Migration(#[from] refinery::Error),
}

impl DatabaseError {
    /// Whether the database is unreachable or short of connections, memory or disk, or this process is too old for an event:
    /// the same call may succeed later or in another process, so clients get HTTP 503.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        let has_no_room = |error: &tokio_postgres::Error| {
            error.code().is_some_and(|code| code.code().starts_with("53"))
        };
        let is_ahead = matches!(self, Self::Ahead(_));
        let has_no_room = matches!(self, Self::Statement(error) if has_no_room(error));
        self.is_connection_lost() || has_no_room || is_ahead
    }

    /// Whether the connection broke: the statement may or may not have taken effect, and sending it again may help.
    pub(in crate::postgres) fn is_connection_lost(&self) -> bool {
        match self {
            Self::Unavailable(_) => true,
            Self::Statement(error) => match error.code() {
                // Connection exceptions, and the server going down or coming up.
                Some(code) => {
                    code.code().starts_with("08")
                        || [
                            SqlState::ADMIN_SHUTDOWN,
                            SqlState::CRASH_SHUTDOWN,
                            SqlState::CANNOT_CONNECT_NOW,
                        ]
                        .contains(code)
                }
                // Without an SQLSTATE the error is the driver's: either the connection broke or a value could not be converted.
                None => {
                    error.is_closed()
                        || std::error::Error::source(error)
                            .is_some_and(|cause| cause.is::<std::io::Error>())
                }
            },
            Self::Corrupt(_) | Self::Ahead(_) | Self::Forbidden(_) | Self::Migration(_) => false,
        }
    }
}

impl From<deadpool_postgres::PoolError> for DatabaseError {
    fn from(error: deadpool_postgres::PoolError) -> Self {
        Self::Unavailable(with_sources(&error))
    }
}

/// The server's message with detail and place; the driver's own text would be `db error`.
fn statement_message(error: &tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(
        || with_sources(error),
        |db| {
            let mut text = format!("{} ({})", db.message(), db.code().code());
            for more in [db.detail(), db.hint(), db.where_()].into_iter().flatten() {
                text.push_str("; ");
                text.push_str(more);
            }
            text
        },
    )
}

pub(super) fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let more = inner.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        source = inner.source();
    }
    text
}
