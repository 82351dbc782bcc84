//! The sweep queue: which sweeps wait, who runs them, until when; apart from the run queue, so that a sweep never takes
//! a backtest's place.

use std::{collections::BTreeMap, time::Duration};

use domain::ids::{SweepId, UserId};
use tokio_postgres::types::ToSql;

use super::database::{Database, DatabaseError};

/// The queue. Times are the database's.
#[derive(Clone)]
pub struct SweepQueue {
    database: Database,
    /// The log is followed by its positions, whatever the planner thinks of a log that grows.
    log: Database,
}

/// A sweep that this executor may work on while it keeps the lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweepLease {
    pub sweep_id: SweepId,
    pub owner_id: UserId,
    pub lease_owner: String,
    /// Counts leases of this row; names the lease together with its owner.
    pub term: i64,
    /// Number of this attempt, from 1; a lease that was released did not count.
    pub attempt: u32,
}

/// What one look at the log did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SweepsFollowed {
    /// A sweep waits for an executor, or its lease has run out.
    pub has_waiting: bool,
    /// The log went on further than one look takes in.
    pub is_behind: bool,
}

/// Positions that one look at the log takes in at most.
const LOOK_POSITIONS: i64 = 100_000;

impl SweepQueue {
    /// The queue in `database`.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { log: database.for_log(), database }
    }

    /// Queues the sweeps that the log requested since the last look (repeats are ignored) and moves the checkpoint, in
    /// one statement, without waiting for the disk: queue and checkpoint are lost together, and found in the log again.
    ///
    /// # Errors
    /// The database.
    pub async fn follow(&self) -> Result<SweepsFollowed, DatabaseError> {
        const FOLLOW: &str = "
            WITH quick AS MATERIALIZED (
                SELECT set_config('synchronous_commit', 'off', true)
            ), held AS MATERIALIZED (
                SELECT position FROM run_queue_followers, quick WHERE follower = 'sweeps'
                FOR UPDATE OF run_queue_followers
            ), head AS MATERIALIZED (
                SELECT coalesce(max(position), 0) AS position FROM events
            ), look AS MATERIALIZED (
                SELECT held.position AS after, head.position AS head,
                    greatest(held.position, least(head.position, held.position + $1)) AS upto
                FROM held, head
            ), moved AS (
                UPDATE run_queue_followers AS own SET position = look.upto
                FROM look WHERE own.follower = 'sweeps' AND look.upto > look.after
            ), queued AS (
                INSERT INTO sweep_queue (sweep_id, owner_id, position)
                SELECT event.aggregate_id::uuid, (event.payload #>> '{request,owner_id}')::uuid, event.position
                FROM look CROSS JOIN LATERAL (
                    SELECT position, aggregate_type, aggregate_id, event_type, payload FROM events
                    WHERE position > look.after AND position <= look.upto ORDER BY position LIMIT $1
                ) AS event
                WHERE event.aggregate_type = 'sweep' AND event.event_type = 'SweepRequested'
                ON CONFLICT (sweep_id) DO NOTHING
                RETURNING 1
            )
            SELECT head > upto AS is_behind,
                EXISTS (SELECT FROM queued) OR EXISTS (
                    SELECT FROM sweep_queue WHERE lease_until IS NULL OR lease_until <= clock_timestamp()
                ) AS has_waiting
            FROM look";
        let client = self.log.get().await?;
        let statement = client.prepare_cached(FOLLOW).await?;
        let row = client.query_opt(&statement, &[&LOOK_POSITIONS]).await?;
        let row = row.ok_or_else(|| DatabaseError::Corrupt("no follower `sweeps`".to_owned()))?;
        Ok(SweepsFollowed {
            has_waiting: row.try_get("has_waiting")?,
            is_behind: row.try_get("is_behind")?,
        })
    }

    /// Takes the next sweep: fewest running of its owner, then oldest; none where nothing waits or all who wait
    /// have `running_per_owner_max` running.
    ///
    /// # Errors
    /// The database.
    pub async fn pick(
        &self,
        executor: &str,
        lease: Duration,
        running_per_owner_max: i64,
    ) -> Result<Option<SweepLease>, DatabaseError> {
        const PICK: &str = "SELECT sweep_id, owner_id, attempt, term FROM pick_sweep($1, $2, $3)";
        let client = self.database.get().await?;
        let statement = client.prepare_cached(PICK).await?;
        let parameters: [&(dyn ToSql + Sync); 3] =
            [&executor, &millis(lease), &running_per_owner_max];
        let Some(row) = client.query_opt(&statement, &parameters).await? else { return Ok(None) };
        Ok(Some(SweepLease {
            sweep_id: SweepId::new(row.try_get("sweep_id")?),
            owner_id: UserId::new(row.try_get("owner_id")?),
            lease_owner: executor.to_owned(),
            term: row.try_get("term")?,
            attempt: row.try_get::<_, i32>("attempt")?.unsigned_abs(),
        }))
    }

    /// Prolongs the lease and notes how far the sweep is, in percent; false when the lease was lost.
    ///
    /// # Errors
    /// The database.
    pub async fn heartbeat(
        &self,
        lease: &SweepLease,
        duration: Duration,
        percent: u8,
    ) -> Result<bool, DatabaseError> {
        const HEARTBEAT: &str = "
            UPDATE sweep_queue
            SET lease_until = clock_timestamp() + $4::bigint * interval '1 millisecond', progress = $5::smallint
            FROM (SELECT set_config('synchronous_commit', 'off', true)) AS quick
            WHERE sweep_id = $1 AND lease_owner = $2 AND term = $3";
        self.change(HEARTBEAT, lease, &[&millis(duration), &i16::from(percent)]).await
    }

    /// Gives the sweep back for anyone to take; the attempt does not count.
    ///
    /// # Errors
    /// The database.
    pub async fn release(&self, lease: &SweepLease) -> Result<bool, DatabaseError> {
        const RELEASE: &str = "
            UPDATE sweep_queue SET lease_owner = NULL, lease_until = NULL, attempt = attempt - 1
            WHERE sweep_id = $1 AND lease_owner = $2 AND term = $3";
        self.change(RELEASE, lease, &[]).await
    }

    /// Takes the sweep out: it is done, or refused.
    ///
    /// # Errors
    /// The database.
    pub async fn remove(&self, lease: &SweepLease) -> Result<bool, DatabaseError> {
        const REMOVE: &str =
            "DELETE FROM sweep_queue WHERE sweep_id = $1 AND lease_owner = $2 AND term = $3";
        self.change(REMOVE, lease, &[]).await
    }

    /// How far these sweeps are, in percent; those that do not wait or run are left out.
    ///
    /// # Errors
    /// The database.
    pub async fn progress(
        &self,
        sweeps: &[SweepId],
    ) -> Result<BTreeMap<SweepId, u8>, DatabaseError> {
        const PROGRESS: &str =
            "SELECT sweep_id, progress FROM sweep_queue WHERE sweep_id = ANY ($1)";
        let ids: Vec<_> = sweeps.iter().map(|id| id.uuid()).collect();
        let client = self.database.get().await?;
        let statement = client.prepare_cached(PROGRESS).await?;
        let mut progress = BTreeMap::new();
        for row in client.query(&statement, &[&ids]).await? {
            let percent: i16 = row.try_get("progress")?;
            let percent = u8::try_from(percent)
                .map_err(|_| DatabaseError::Corrupt(format!("a progress of {percent} %")))?;
            progress.insert(SweepId::new(row.try_get("sweep_id")?), percent);
        }
        Ok(progress)
    }

    /// Changes the row of this lease, and tells whether it still was this lease's.
    async fn change(
        &self,
        statement: &str,
        lease: &SweepLease,
        arguments: &[&(dyn ToSql + Sync)],
    ) -> Result<bool, DatabaseError> {
        let client = self.database.get().await?;
        let statement = client.prepare_cached(statement).await?;
        let id = lease.sweep_id.uuid();
        let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&id, &lease.lease_owner, &lease.term];
        parameters.extend(arguments);
        Ok(client.execute(&statement, &parameters).await? == 1)
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
