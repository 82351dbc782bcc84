//! The run queue: which backtests wait, who runs them, until when.

use std::{collections::BTreeMap, time::Duration};

use domain::ids::{BacktestId, UserId};
use metrics::counter;

use super::database::{Database, DatabaseError};
use crate::telemetry;

/// The queue. Times are the database's.
#[derive(Clone)]
pub struct RunQueue {
    database: Database,
    /// The log is followed by its positions, whatever the planner thinks of a log that grows.
    log: Database,
}

/// A run that this executor may work on while it keeps the lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    pub backtest_id: BacktestId,
    pub owner_id: UserId,
    pub lease_owner: String,
    /// Counts leases of this row; names the lease together with its owner.
    pub term: i64,
    /// Number of this attempt, from 1; a lease that was released did not count.
    pub attempt: u32,
}

/// A run that somebody asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requested {
    pub backtest_id: BacktestId,
    pub owner_id: UserId,
    /// Of its `BacktestRequested`.
    pub position: i64,
}

/// What one look at the log did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Followed {
    /// Position up to which every requested run is queued.
    pub position: i64,
    /// A run waits for an executor, or its lease has run out.
    pub has_waiting: bool,
    /// The log went on further than one look takes in.
    pub is_behind: bool,
}

/// What is in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Depth {
    pub waiting: i64,
    /// Under a lease.
    pub running: i64,
}

/// After one of them nothing is left to do.
const FINAL_EVENTS: [&str; 4] =
    ["BacktestCompleted", "BacktestFailed", "BacktestCancelled", "BacktestDeleted"];
/// Positions that one look at the log takes in at most.
const LOOK_POSITIONS: i64 = 100_000;

impl RunQueue {
    /// The queue in `database`.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { log: database.for_log(), database }
    }

    /// Queues the runs that the log requested since the follower's checkpoint (repeats are ignored) and moves the
    /// checkpoint, in one statement. The log is filtered where it lies, so that ledgers cost no transfer. It does
    /// not wait for the disk: queue and checkpoint are lost together, and found in the log again.
    ///
    /// # Errors
    /// The database.
    pub async fn follow(&self, follower: &str) -> Result<Followed, DatabaseError> {
        const FOLLOW: &str = "
            WITH quick AS MATERIALIZED (
                SELECT set_config('synchronous_commit', 'off', true)
            ), held AS MATERIALIZED (
                SELECT position FROM run_queue_followers, quick WHERE follower = $1
                FOR UPDATE OF run_queue_followers
            ), head AS MATERIALIZED (
                SELECT coalesce(max(position), 0) AS position FROM events
            ), look AS MATERIALIZED (
                SELECT held.position AS after, head.position AS head,
                    greatest(held.position, least(head.position, held.position + $2)) AS upto
                FROM held, head
            ), moved AS (
                UPDATE run_queue_followers AS own SET position = look.upto
                FROM look WHERE own.follower = $1 AND look.upto > look.after
            ), queued AS (
                INSERT INTO run_queue (backtest_id, owner_id, position)
                SELECT event.aggregate_id::uuid, (event.payload #>> '{request,owner_id}')::uuid, event.position
                FROM look CROSS JOIN LATERAL (
                    SELECT position, aggregate_type, aggregate_id, event_type, payload FROM events
                    WHERE position > look.after AND position <= look.upto ORDER BY position LIMIT $2
                ) AS event
                WHERE event.aggregate_type = 'backtest' AND event.event_type = 'BacktestRequested'
                ON CONFLICT (backtest_id) DO NOTHING
                RETURNING 1
            )
            SELECT upto, head > upto AS is_behind,
                EXISTS (SELECT FROM queued) OR EXISTS (
                    SELECT FROM run_queue WHERE lease_until IS NULL OR lease_until <= clock_timestamp()
                ) AS has_waiting
            FROM look";
        let client = self.log.get().await?;
        let statement = client.prepare_cached(FOLLOW).await?;
        let row = client.query_opt(&statement, &[&follower, &LOOK_POSITIONS]).await?;
        let row = row.ok_or_else(|| DatabaseError::Corrupt(format!("no follower `{follower}`")))?;
        Ok(Followed {
            position: row.try_get("upto")?,
            has_waiting: row.try_get("has_waiting")?,
            is_behind: row.try_get("is_behind")?,
        })
    }

    /// Queues runs that were requested, durably: whoever told of them need not do so again. Those that wait, run or have
    /// ended are left alone.
    ///
    /// # Errors
    /// The database.
    pub async fn add(&self, requested: &[Requested]) -> Result<u64, DatabaseError> {
        const ADD: &str = "
            INSERT INTO run_queue (backtest_id, owner_id, position)
            SELECT new.backtest_id, new.owner_id, new.position
            FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS new(backtest_id, owner_id, position)
            WHERE NOT EXISTS (
                SELECT FROM events AS event
                WHERE event.aggregate_type = 'backtest' AND event.aggregate_id = new.backtest_id::text
                    AND event.event_type = ANY ($4))
            ON CONFLICT (backtest_id) DO NOTHING";
        let backtests: Vec<_> = requested.iter().map(|new| new.backtest_id.uuid()).collect();
        let owners: Vec<_> = requested.iter().map(|new| new.owner_id.uuid()).collect();
        let positions: Vec<_> = requested.iter().map(|new| new.position).collect();
        let client = self.database.get().await?;
        let statement = client.prepare_cached(ADD).await?;
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
            [&backtests, &owners, &positions, &&FINAL_EVENTS[..]];
        Ok(client.execute(&statement, &parameters).await?)
    }

    /// Whether a run waits for an executor, or its lease has run out.
    ///
    /// # Errors
    /// The database.
    pub async fn has_waiting(&self) -> Result<bool, DatabaseError> {
        const WAITING: &str = "SELECT EXISTS (
            SELECT FROM run_queue WHERE lease_until IS NULL OR lease_until <= clock_timestamp())";
        let client = self.database.get().await?;
        let statement = client.prepare_cached(WAITING).await?;
        Ok(client.query_one(&statement, &[]).await?.try_get(0)?)
    }

    /// Takes the next run: fewest running of its owner, then oldest; none where nothing waits or all who wait
    /// have `running_per_owner_max` running.
    ///
    /// # Errors
    /// The database.
    pub async fn pick(
        &self,
        executor: &str,
        lease: Duration,
        running_per_owner_max: i64,
    ) -> Result<Option<Lease>, DatabaseError> {
        const PICK: &str =
            "SELECT backtest_id, owner_id, attempt, term, expired_owner FROM pick_run($1, $2, $3)";
        let client = self.database.get().await?;
        let statement = client.prepare_cached(PICK).await?;
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
            [&executor, &millis(lease), &running_per_owner_max];
        let Some(row) = client.query_opt(&statement, &parameters).await? else { return Ok(None) };
        let lease = Lease {
            backtest_id: BacktestId::new(row.try_get("backtest_id")?),
            owner_id: UserId::new(row.try_get("owner_id")?),
            lease_owner: executor.to_owned(),
            term: row.try_get("term")?,
            attempt: row.try_get::<_, i32>("attempt")?.unsigned_abs(),
        };
        if let Some(expired_owner) = row.try_get("expired_owner")? {
            note_expired(lease.backtest_id, expired_owner, lease.attempt.saturating_sub(1));
        }
        Ok(Some(lease))
    }

    /// Prolongs the lease; false when it was lost.
    ///
    /// # Errors
    /// The database.
    pub async fn heartbeat(
        &self,
        lease: &Lease,
        duration: Duration,
    ) -> Result<bool, DatabaseError> {
        const HEARTBEAT: &str = "
            UPDATE run_queue SET lease_until = clock_timestamp() + $4::bigint * interval '1 millisecond'
            WHERE backtest_id = $1 AND lease_owner = $2 AND term = $3";
        self.change(HEARTBEAT, lease, Some(millis(duration))).await
    }

    /// Notes how far the run is, in percent; false when the lease was lost.
    ///
    /// # Errors
    /// The database.
    pub async fn record_progress(&self, lease: &Lease, percent: u8) -> Result<bool, DatabaseError> {
        const PROGRESS: &str = "
            UPDATE run_queue SET progress = $4::bigint
            FROM (SELECT set_config('synchronous_commit', 'off', true)) AS quick
            WHERE backtest_id = $1 AND lease_owner = $2 AND term = $3";
        self.change(PROGRESS, lease, Some(i64::from(percent))).await
    }

    /// Gives the run back for anyone to take; the attempt does not count.
    ///
    /// # Errors
    /// The database.
    pub async fn release(&self, lease: &Lease) -> Result<bool, DatabaseError> {
        const RELEASE: &str = "
            UPDATE run_queue SET lease_owner = NULL, lease_until = NULL, attempt = attempt - 1
            WHERE backtest_id = $1 AND lease_owner = $2 AND term = $3";
        self.change(RELEASE, lease, None).await
    }

    /// Takes the run out: it is done, or refused.
    ///
    /// # Errors
    /// The database.
    pub async fn remove(&self, lease: &Lease) -> Result<bool, DatabaseError> {
        const REMOVE: &str = "
            DELETE FROM run_queue WHERE backtest_id = $1 AND lease_owner = $2 AND term = $3";
        self.change(REMOVE, lease, None).await
    }

    /// How far these runs are, in percent; those that do not wait or run are left out.
    ///
    /// # Errors
    /// The database.
    pub async fn progress(
        &self,
        backtests: &[BacktestId],
    ) -> Result<BTreeMap<BacktestId, u8>, DatabaseError> {
        const PROGRESS: &str =
            "SELECT backtest_id, progress FROM run_queue WHERE backtest_id = ANY ($1)";
        let ids: Vec<_> = backtests.iter().map(|id| id.uuid()).collect();
        let client = self.database.get().await?;
        let statement = client.prepare_cached(PROGRESS).await?;
        let mut progress = BTreeMap::new();
        for row in client.query(&statement, &[&ids]).await? {
            let percent: i16 = row.try_get("progress")?;
            let percent = u8::try_from(percent)
                .map_err(|_| DatabaseError::Corrupt(format!("a progress of {percent} %")))?;
            progress.insert(BacktestId::new(row.try_get("backtest_id")?), percent);
        }
        Ok(progress)
    }

    /// How many runs wait, and how many are running.
    ///
    /// # Errors
    /// The database.
    pub async fn depth(&self) -> Result<Depth, DatabaseError> {
        const DEPTH: &str = "
            SELECT count(*) AS all, count(*) FILTER (WHERE lease_until > clock_timestamp()) AS running
            FROM run_queue";
        let client = self.database.get().await?;
        let statement = client.prepare_cached(DEPTH).await?;
        let row = client.query_one(&statement, &[]).await?;
        let running: i64 = row.try_get("running")?;
        Ok(Depth { waiting: row.try_get::<_, i64>("all")? - running, running })
    }

    /// Changes the row of this lease, and tells whether it still was this lease's.
    async fn change(
        &self,
        statement: &str,
        lease: &Lease,
        argument: Option<i64>,
    ) -> Result<bool, DatabaseError> {
        let client = self.database.get().await?;
        let statement = client.prepare_cached(statement).await?;
        let id = lease.backtest_id.uuid();
        let mut parameters: Vec<&(dyn tokio_postgres::types::ToSql + Sync)> =
            vec![&id, &lease.lease_owner, &lease.term];
        if let Some(argument) = &argument {
            parameters.push(argument);
        }
        Ok(client.execute(&statement, &parameters).await? == 1)
    }
}

/// Says that a lease ran out: its executor was killed, stopped, or cut off.
pub(super) fn note_expired(backtest_id: BacktestId, lease_owner: &str, attempt: u32) {
    counter!(telemetry::LEASE_EXPIRIES).increment(1);
    tracing::warn!(%backtest_id, executor = lease_owner, attempt, "a lease ran out");
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
