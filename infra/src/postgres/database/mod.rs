//! The pool of connections as the application's role, and the migrations as the owner's.

use std::time::Duration;

use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime, Timeouts,
};
use domain::aggregates::EventAhead;
use tokio_postgres::{Client, Config, NoTls, error::SqlState};

use super::{
    event_store::GROUPS_IN_FLIGHT_MAX, leaders::CONNECTIONS_MAX as LEADERS_MAX, migrations,
};

/// How long a connection may take to be made or to become free.
const CONNECTION_WAIT: Duration = Duration::from_secs(5);

/// How long a connection (over TCP) may be silent before it is asked whether it is alive.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// A pool; clones share it.
#[derive(Clone)]
pub struct Database {
    pool: Pool,
    append_pool: Pool,
    leader_pool: Pool,
    log_pool: Pool,
    config: Config,
}

/// The application's role, which has no more rights than it needs. Large values are compressed by LZ4 where the server was
/// built with it: its own pglz takes longer than all else that the end of a run writes.
const ROLE: &str = "SET ROLE backtrail_app; \
                    SELECT set_config('default_toast_compression', 'lz4', false) FROM pg_settings \
                    WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)";
/// The log is read by its indexes, in their order. Left to itself, the planner sorts thousands of whole events on disk
/// while the statistics lag behind a log that grows fast, and a plan kept from when the log was small scans all of it.
/// What is refused counts as dear beyond measure, for which PostgreSQL would compile each such statement anew.
const LOG_ROLE: &str = "SET ROLE backtrail_app; SET jit = off; SET enable_seqscan = off; SET enable_bitmapscan = off; \
                        SET enable_sort = off; SET plan_cache_mode = force_generic_plan";
/// Of a process's connections, one in so many reads the log.
const LOG_SHARE: usize = 4;
const LOG_CONNECTIONS_MIN: usize = 2;
/// Beside the pools: who listens for appends.
const LISTENERS: usize = 1;

/// What can go wrong between us and Postgres; the message is for operators, never for clients.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// No connection could be had: worth a retry (HTTP 503).
    #[error("the database cannot be reached: {0}")]
    Unavailable(String),
    /// A statement failed.
    #[error("{}", statement_message(.0))]
    Statement(#[from] tokio_postgres::Error),
    /// A row that should not be.
    #[error("unexpected data: {0}")]
    Corrupt(String),
    /// A newer version of Backtrail wrote the event; a process of that version can read it (HTTP 503).
    #[error(transparent)]
    Ahead(#[from] EventAhead),
    /// The connecting user lacks a right; says what to do.
    #[error("{0}")]
    Forbidden(String),
    /// The schema could not be brought up to date.
    #[error("the migrations failed: {}", migration_message(.0))]
    Migration(#[from] refinery::Error),
}

impl DatabaseError {
    /// The database is away or has no room (connections, memory, disk), or this process is too old for an event: the same may
    /// go well later or in another process, so it is no fault of ours (HTTP 503).
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        let has_no_room = |error: &tokio_postgres::Error| {
            error.code().is_some_and(|code| code.code().starts_with("53"))
        };
        let is_ahead = matches!(self, Self::Ahead(_));
        let has_no_room = matches!(self, Self::Statement(error) if has_no_room(error));
        self.is_connection_lost() || has_no_room || is_ahead
    }

    /// The statement may have been done or not, and sending it again may help.
    pub(super) fn is_connection_lost(&self) -> bool {
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
                // Without a server's code it did not come from the server, unless a value could not be read or written.
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

impl Database {
    /// Connects as the application's role (`SET ROLE backtrail_app` on each pooled connection), over `connections_max` (at
    /// least 10) connections: a quarter reads the log, some append, lead and listen. The URL is Postgres's own:
    /// `postgres://user@host/database` or, over a socket, `postgres:///database?host=/folder&port=5432&user=name`.
    ///
    /// # Errors
    /// [`DatabaseError::Unavailable`] when no connection can be had.
    pub async fn connect(url: &str, connections_max: usize) -> Result<Self, DatabaseError> {
        let config = parse(url)?;
        let log_connections = LOG_CONNECTIONS_MIN.max(connections_max / LOG_SHARE);
        let others = log_connections + GROUPS_IN_FLIGHT_MAX + LEADERS_MAX + LISTENERS;
        let database = Self {
            pool: pool(&config, connections_max.saturating_sub(others).max(1), ROLE)?,
            append_pool: pool(&config, GROUPS_IN_FLIGHT_MAX, ROLE)?,
            leader_pool: pool(&config, LEADERS_MAX, ROLE)?,
            log_pool: pool(&config, log_connections, LOG_ROLE)?,
            config,
        };
        drop(database.get().await?);
        Ok(database)
    }

    /// Brings the schema up to date, as the owner; idempotent, safe beside other processes.
    ///
    /// # Errors
    /// [`DatabaseError::Forbidden`] when the user may not; the migration that failed.
    pub async fn migrate(url: &str) -> Result<(), DatabaseError> {
        migrations::run(&parse(url)?).await
    }

    /// A pooled connection.
    ///
    /// # Errors
    /// [`DatabaseError::Unavailable`] when none can be had in time.
    pub async fn get(&self) -> Result<deadpool_postgres::Object, DatabaseError> {
        Ok(self.pool.get().await?)
    }

    /// How each pool of this process is used, by name.
    #[must_use]
    pub fn pools(&self) -> [(&'static str, PoolUse); 4] {
        let Self { pool, append_pool, leader_pool, log_pool, .. } = self;
        [("shared", pool), ("append", append_pool), ("leader", leader_pool), ("log", log_pool)]
            .map(|(name, pool)| (name, PoolUse::of(pool)))
    }

    /// Closes every pooled connection, for all clones: before a server that was started for them stops.
    pub fn close(&self) {
        self.pool.close();
        self.append_pool.close();
        self.leader_pool.close();
        self.log_pool.close();
    }

    /// The same database over the connections that only the append queue uses, so that readers cannot starve it.
    pub(super) fn for_appends(&self) -> Self {
        Self { pool: self.append_pool.clone(), ..self.clone() }
    }

    /// The same database over the connections that only leaders use: a busy pool must not cost them their row.
    pub(super) fn for_leaders(&self) -> Self {
        Self { pool: self.leader_pool.clone(), ..self.clone() }
    }

    /// The same database over the connections that read the log, in the order of its indexes.
    pub(super) fn for_log(&self) -> Self {
        Self { pool: self.log_pool.clone(), ..self.clone() }
    }

    /// How the pool connects, for connections outside of it (LISTEN).
    pub(super) fn config(&self) -> &Config {
        &self.config
    }
}

/// How a pool is used just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolUse {
    pub connections_max: usize,
    /// Open ones.
    pub size: usize,
    /// Open ones that nobody uses.
    pub available: usize,
    /// Who waits for one.
    pub waiting: usize,
}

impl PoolUse {
    fn of(pool: &Pool) -> Self {
        let status = pool.status();
        Self {
            connections_max: status.max_size,
            size: status.size,
            available: status.available,
            waiting: status.waiting,
        }
    }
}

/// Connections that are set up by `setup`.
fn pool(
    config: &Config,
    connections_max: usize,
    setup: &'static str,
) -> Result<Pool, DatabaseError> {
    let manager = Manager::from_config(
        config.clone(),
        NoTls,
        ManagerConfig { recycling_method: RecyclingMethod::Fast },
    );
    let set_up = Hook::async_fn(move |client, _| {
        Box::pin(async move { client.batch_execute(setup).await.map_err(HookError::Backend) })
    });
    Pool::builder(manager)
        .max_size(connections_max)
        .runtime(Runtime::Tokio1)
        .timeouts(Timeouts {
            wait: Some(CONNECTION_WAIT),
            create: Some(CONNECTION_WAIT),
            recycle: Some(CONNECTION_WAIT),
        })
        .post_create(set_up)
        .build()
        .map_err(|error| DatabaseError::Unavailable(error.to_string()))
}

/// A connection of its own, as the URL's user; it closes when the client is dropped.
pub(super) async fn connect_alone(config: &Config) -> Result<Client, DatabaseError> {
    let (client, connection) = config
        .connect(NoTls)
        .await
        .map_err(|error| DatabaseError::Unavailable(with_sources(&error)))?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::warn!(%error, "a connection to the database ended");
        }
    });
    Ok(client)
}

fn parse(url: &str) -> Result<Config, DatabaseError> {
    let mut config =
        url.parse::<Config>().map_err(|error| DatabaseError::Unavailable(with_sources(&error)))?;
    config.connect_timeout(CONNECTION_WAIT);
    // A server that vanished without a word (its machine, a cable, a firewall) is noticed in seconds, not hours.
    if !url.contains("keepalives") {
        config.keepalives_idle(SILENCE_MAX).keepalives_interval(SILENCE_MAX / 5);
        config.keepalives_retries(3);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(SILENCE_MAX * 2);
    }
    if config.get_application_name().is_none() {
        config.application_name("backtrail");
    }
    Ok(config)
}

/// The server's message with detail and place, where the driver's own text would be `db error`.
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

fn migration_message(error: &refinery::Error) -> String {
    with_sources(error)
}

fn with_sources(error: &dyn std::error::Error) -> String {
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
