//! Pools of connections under the application's role, sized for what each of them serves.

mod connection;
mod error;

use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime, Timeouts,
};
use tokio_postgres::{Config, NoTls};

use self::connection::CONNECTION_WAIT;

pub(super) use connection::{connect_alone, parse};
pub use error::DatabaseError;

/// The pools of connections to one database; clones share them.
#[derive(Clone)]
pub struct Database {
    pool: Pool,
    append_pool: Pool,
    leader_pool: Pool,
    log_pool: Pool,
    config: Config,
}

/// Switches to the application's role, which has only the rights it needs. No statement takes long enough to be worth compiling. Large values are compressed with LZ4 if the
/// server supports it: the default, pglz, takes longer than everything else that the end of a run writes.
const ROLE: &str = "SET ROLE backtrail_app; SET jit = off; \
                    SELECT set_config('default_toast_compression', 'lz4', false) FROM pg_settings \
                    WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)";
/// Forces reads of the log to use its indexes, in their order. Otherwise, while the statistics lag behind a fast-growing
/// log, the planner sorts thousands of whole events on disk, and a plan cached when the log was small scans all of it.
/// JIT is off because disabled plan nodes look so expensive that PostgreSQL would compile each such statement.
const LOG_ROLE: &str = "SET ROLE backtrail_app; SET jit = off; SET enable_seqscan = off; SET enable_bitmapscan = off; \
                        SET enable_sort = off; SET plan_cache_mode = force_generic_plan";
/// One in this many of a process's connections reads the log.
const LOG_SHARE: usize = 4;
const LOG_CONNECTIONS_MIN: usize = 2;
/// One for each group of appends in flight: while one is being committed, the server reads the next one's parameters.
pub(super) const APPEND_CONNECTIONS: usize = 2;
/// One for each role that a process may lead, and as many again for those whose response is late.
const LEADER_CONNECTIONS: usize = 4;
/// Outside the pools: the one that listens for appends.
const LISTENERS: usize = 1;

impl Database {
    /// Connects as the application's role (`SET ROLE backtrail_app` on each pooled connection) over at most
    /// `connections_max` (at least 10) connections: a quarter reads the log, a few append, lead and listen. The URL is Postgres's own:
    /// `postgres://user@host/database` or, over a socket, `postgres:///database?host=/folder&port=5432&user=name`.
    ///
    /// # Errors
    /// [`DatabaseError::Unavailable`] if no connection can be made.
    pub async fn connect(url: &str, connections_max: usize) -> Result<Self, DatabaseError> {
        let config = parse(url)?;
        let log_connections = LOG_CONNECTIONS_MIN.max(connections_max / LOG_SHARE);
        let others = log_connections + APPEND_CONNECTIONS + LEADER_CONNECTIONS + LISTENERS;
        let database = Self {
            pool: pool(&config, connections_max.saturating_sub(others).max(1), ROLE)?,
            append_pool: pool(&config, APPEND_CONNECTIONS, ROLE)?,
            leader_pool: pool(&config, LEADER_CONNECTIONS, ROLE)?,
            log_pool: pool(&config, log_connections, LOG_ROLE)?,
            config,
        };
        drop(database.get().await?);
        Ok(database)
    }

    /// Takes a connection from the shared pool.
    ///
    /// # Errors
    /// [`DatabaseError::Unavailable`] if none becomes free in time.
    pub async fn get(&self) -> Result<deadpool_postgres::Object, DatabaseError> {
        Ok(self.pool.get().await?)
    }

    /// Returns how each pool of this process is used, by name.
    #[must_use]
    pub fn pools(&self) -> [(&'static str, PoolUse); 4] {
        let Self { pool, append_pool, leader_pool, log_pool, .. } = self;
        [("shared", pool), ("append", append_pool), ("leader", leader_pool), ("log", log_pool)]
            .map(|(name, pool)| (name, PoolUse::of(pool)))
    }

    /// Closes every pooled connection, for all clones; called before an embedded server stops.
    pub fn close(&self) {
        self.pool.close();
        self.append_pool.close();
        self.leader_pool.close();
        self.log_pool.close();
    }

    /// Returns the same database over the connections reserved for the append queue, so that readers cannot starve it.
    pub(super) fn for_appends(&self) -> Self {
        Self { pool: self.append_pool.clone(), ..self.clone() }
    }

    /// Returns the same database over the connections reserved for leaders: a busy pool must not cost them their row.
    pub(super) fn for_leaders(&self) -> Self {
        Self { pool: self.leader_pool.clone(), ..self.clone() }
    }

    /// Returns the same database over the connections that read the log in the order of its indexes. Every statement that looks
    /// into `events` runs there, but for the filtered feed.
    #[must_use]
    pub fn for_log(&self) -> Self {
        Self { pool: self.log_pool.clone(), ..self.clone() }
    }

    /// Returns how the pools connect, for a connection outside them (LISTEN).
    pub(super) fn config(&self) -> &Config {
        &self.config
    }
}

/// How a pool is used at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolUse {
    pub connections_max: usize,
    /// Open ones.
    pub size: usize,
    /// Open ones that are idle.
    pub available: usize,
    /// Tasks that wait for one.
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

/// Builds a pool whose connections each run `setup` first.
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
