//! The handle on the log: appends through the queue, loads aggregates, and looks up commands and names.

use std::sync::{Arc, OnceLock};

use cqrs_es::Aggregate;
use domain::{aggregates::EventAhead, ids::UserId};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
};
use tokio_postgres::Row;

use super::{
    append::{Append, Outcome},
    call::Prepared,
    queue::{self, Job},
    wakeups::Wakeups,
};
use crate::postgres::database::{Database, DatabaseError};

/// The log; clones share one append queue.
#[derive(Clone)]
pub struct EventStore {
    pub(super) database: Database,
    pub(super) log: Database,
    jobs: mpsc::Sender<Job>,
    wakeups: Wakeups,
    /// The first event that this process met and is too old for.
    pub(super) ahead: Arc<OnceLock<EventAhead>>,
    /// Aborted with the last clone.
    _tasks: Arc<JoinSet<()>>,
}

/// Appends that wait for a place in the queue itself; beyond it, callers wait.
const JOBS_MAX: usize = 1024;

/// An aggregate, folded from its stream.
#[derive(Debug, Clone)]
pub struct Loaded<A> {
    pub aggregate: A,
    /// Sequence of its last event; 0 when there is none.
    pub sequence: i64,
    /// Position of its last event; 0 when there is none.
    pub position: i64,
}

impl EventStore {
    /// Starts the append queue over `database` on dedicated connections. It ends once the last clone is dropped and every append
    /// has its outcome.
    #[must_use]
    pub fn start(database: Database) -> Self {
        let wakeups = Wakeups::new();
        let (jobs, waiting) = mpsc::channel(JOBS_MAX);
        tokio::spawn(queue::run(waiting, database.for_appends(), wakeups.clone()));
        let tasks = Arc::new(wakeups.start(&database));
        let ahead = Arc::default();
        Self { log: database.for_log(), database, jobs, wakeups, ahead, _tasks: tasks }
    }

    /// The pool underneath.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Appends through the queue. After a lost connection it sends the call again under the same command key.
    ///
    /// # Errors
    /// The database, when it stays away or refuses. After [`DatabaseError::Unavailable`] the append may have been done.
    pub async fn append(&self, append: Append) -> Result<Outcome, DatabaseError> {
        let (sender, outcome) = oneshot::channel();
        let job = Job { prepared: Prepared::new(append)?, outcome: sender };
        let ended = || DatabaseError::Unavailable("the append queue has ended".to_owned());
        self.jobs.send(job).await.map_err(|_| ended())?;
        outcome.await.map_err(|_| ended())?
    }

    /// The aggregate folded from its (upcast) stream.
    ///
    /// # Errors
    /// The database, or an event that cannot be decoded.
    pub async fn load<A: Aggregate>(&self, aggregate_id: &str) -> Result<Loaded<A>, DatabaseError> {
        let mut loaded = Loaded { aggregate: A::default(), sequence: 0, position: 0 };
        for event in self.read_stream(A::TYPE, aggregate_id, 0, i64::MAX).await? {
            loaded.aggregate.apply(self.decode(&event)?);
            loaded.sequence = event.sequence;
            loaded.position = event.position;
        }
        Ok(loaded)
    }

    /// Returns the command that was done under this key in the last 24 hours, as [`Outcome::Duplicate`]; `None` if there is none.
    ///
    /// # Errors
    /// The database.
    pub async fn find_command(
        &self,
        owner_id: UserId,
        route: &str,
        key: &str,
    ) -> Result<Option<Outcome>, DatabaseError> {
        let client = self.database.get().await?;
        let sql = "SELECT position, aggregate_id, body_hash FROM command_ids \
                   WHERE owner = $1 AND route = $2 AND key = $3 \
                   AND recorded_at > clock_timestamp() - interval '24 hours'";
        let statement = client.prepare_cached(sql).await?;
        let row = client.query_opt(&statement, &[&owner_id.uuid(), &route, &key]).await?;
        let duplicate = |row: Row| {
            Ok(Outcome::Duplicate {
                position: row.try_get(0)?,
                aggregate_id: row.try_get(1)?,
                body_hash: row.try_get(2)?,
            })
        };
        row.map(duplicate).transpose()
    }

    /// Returns the aggregate that holds a name; `None` if it is free.
    ///
    /// # Errors
    /// The database.
    pub async fn reserved(
        &self,
        kind: &str,
        owner_id: UserId,
        name: &str,
    ) -> Result<Option<String>, DatabaseError> {
        let client = self.database.get().await?;
        let sql =
            "SELECT aggregate_id FROM reservations WHERE kind = $1 AND owner = $2 AND name = $3";
        let statement = client.prepare_cached(sql).await?;
        let row = client.query_opt(&statement, &[&kind, &owner_id.uuid(), &name]).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    /// Watches the highest position that this process knows; it changes soon after this or another process appends. It is only a
    /// hint, backed by polling: no append stays unnoticed for longer than a quarter of a second.
    #[must_use]
    pub fn wakeups(&self) -> watch::Receiver<u64> {
        self.wakeups.subscribe()
    }

    /// Changes when a job may wait: this or another process appended an event that asks for one, or one was released in the queue, which
    /// no event records. Also only a hint.
    #[must_use]
    pub fn job_wakeups(&self) -> watch::Receiver<()> {
        self.wakeups.subscribe_to_jobs()
    }
}
