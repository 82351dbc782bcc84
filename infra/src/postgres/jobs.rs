//! The queue of jobs, of every kind: which wait, who works on them, until when.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};
use domain::{
    aggregates::EventAhead, backtest::Backtest, ids::UserId, job::JobAggregate, sweep::Sweep,
};
use metrics::counter;
use tokio_postgres::{Row, types::ToSql};
use uuid::Uuid;

use super::database::{Database, DatabaseError};
use crate::telemetry;

/// A kind of job, and what the log says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobKind {
    /// Permanent. For a kind that events ask for it is the aggregate's type, and a job's id is the aggregate's.
    pub name: &'static str,
    /// Pools have their own concurrency and their own pick lock, so that no kind starves another.
    pub pool: &'static str,
    /// The event that asks for a job; `None` if only [`JobQueue::add`] does.
    pub requested: Option<&'static str>,
    /// The events after which nothing is left to do.
    pub endings: &'static [&'static str],
}

/// The pool of backtests.
pub const RUNS: &str = "runs";
/// The pool of sweeps.
pub const SWEEPS: &str = "sweeps";
pub const BACKTEST: JobKind = JobKind::of::<Backtest>(RUNS);
pub const SWEEP: JobKind = JobKind::of::<Sweep>(SWEEPS);
/// Every kind of job that this binary knows.
pub const KINDS: [JobKind; 2] = [BACKTEST, SWEEP];

impl JobKind {
    const fn of<A: JobAggregate>(pool: &'static str) -> Self {
        Self {
            name: A::TYPE,
            pool,
            requested: Some(A::EVENTS.requested),
            endings: &A::EVENTS.endings,
        }
    }
}

/// The queue. Times are the database's.
#[derive(Clone)]
pub struct JobQueue {
    database: Database,
    /// The log is followed by its positions, whatever the planner thinks of a log that grows.
    log: Database,
    kinds: &'static [JobKind],
}

/// A job that an executor may work on while it keeps the lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobLease {
    pub kind: String,
    pub id: Uuid,
    pub owner_id: UserId,
    pub lease_owner: String,
    /// Counts leases of this job; names the lease together with its owner.
    pub term: i64,
    /// Number of this attempt, from 1; a lease that was released did not count.
    pub attempt: u32,
}

/// A job that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewJob {
    pub id: Uuid,
    pub owner_id: UserId,
    /// Of the event that asked for it, if one did.
    pub position: Option<i64>,
    /// When it was asked for. The database's clock decides if that is yet to come.
    pub ready_at: DateTime<Utc>,
}

/// What one pass over the log did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Followed {
    /// Position up to which every job that events ask for is queued.
    pub position: i64,
    /// Pools in which a job waits for an executor, or its lease has run out.
    pub waiting: Vec<String>,
    /// The log continues beyond what one pass covers.
    pub is_behind: bool,
    /// The request after `position`, if it is too new to say whose it is: the pass rests before it.
    pub ahead: Option<EventAhead>,
}

/// How many jobs of a kind are in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Depth {
    pub kind: &'static str,
    pub waiting: i64,
    /// Under a lease.
    pub running: i64,
}

/// Positions that one pass over the log covers at most.
const PASS_POSITIONS: i64 = 100_000;

/// The pools among `$1` in which something can be picked (or could, if its owner had not too many leases).
const WAITING: &str = "
    SELECT pool FROM unnest($1::text[]) AS pool
    WHERE EXISTS (
        SELECT FROM jobs
        WHERE jobs.pool = pool.pool AND lease_owner IS NULL AND ready_at <= statement_timestamp())
    OR EXISTS (
        SELECT FROM jobs
        WHERE jobs.pool = pool.pool AND lease_owner IS NOT NULL AND lease_until <= clock_timestamp())";

impl JobQueue {
    /// The queue in `database`, for an executor that knows these kinds.
    #[must_use]
    pub fn new(database: Database, kinds: &'static [JobKind]) -> Self {
        Self { log: database.for_log(), database, kinds }
    }

    /// Queues the jobs that events ask for since their kind's checkpoint (repeats are ignored) and moves the checkpoints, in
    /// one statement. A pass starts at the least of the checkpoints. The log is filtered where it lies, so that ledgers cost
    /// no transfer. It does not wait for the disk: jobs and checkpoints are lost together, and found in the log again. A pass
    /// rests before a request of a newer version that does not say whose it is.
    ///
    /// # Errors
    /// The database, a kind without a checkpoint, or a request of a known version without an owner.
    pub async fn follow(&self) -> Result<Followed, DatabaseError> {
        let follow = format!(
            "WITH quick AS MATERIALIZED (
                SELECT set_config('synchronous_commit', 'off', true)
            ), kinds AS MATERIALIZED (
                SELECT * FROM unnest($2::text[], $3::text[], $4::text[]) AS kind(name, pool, requested)
            ), held AS MATERIALIZED (
                SELECT own.kind, own.position FROM job_checkpoints AS own, quick
                WHERE own.kind = ANY ($2) ORDER BY own.kind FOR UPDATE OF own
            ), head AS MATERIALIZED (
                SELECT coalesce(max(position), 0) AS position FROM events
            ), pass AS MATERIALIZED (
                SELECT least.position AS after, head.position AS head, least.kinds_count,
                    greatest(least.position, least(head.position, least.position + $5)) AS upto
                FROM (SELECT min(position) AS position, count(*) AS kinds_count FROM held) AS least, head
            ), requested AS MATERIALIZED (
                SELECT kinds.name AS kind, kinds.pool, event.*, (event.payload #>> '{{request,owner_id}}')::uuid AS owner_id
                FROM pass CROSS JOIN LATERAL (
                    SELECT position, aggregate_type, aggregate_id, event_type, event_version, payload, recorded_at
                    FROM events
                    WHERE position > pass.after AND position <= pass.upto ORDER BY position LIMIT $5
                ) AS event
                JOIN kinds ON kinds.name = event.aggregate_type AND kinds.requested = event.event_type
                JOIN held ON held.kind = kinds.name AND held.position < event.position
            ), unreadable AS MATERIALIZED (
                SELECT position, kind, event_type, event_version FROM requested
                WHERE owner_id IS NULL ORDER BY position LIMIT 1
            ), reach AS MATERIALIZED (
                SELECT coalesce((SELECT position - 1 FROM unreadable), pass.upto) AS upto FROM pass
            ), moved AS (
                UPDATE job_checkpoints AS own SET position = reach.upto
                FROM reach WHERE own.kind = ANY ($2) AND own.position < reach.upto
            ), queued AS (
                INSERT INTO jobs (kind, id, pool, owner_id, position, ready_at)
                SELECT kind, aggregate_id::uuid, pool, owner_id, position, least(recorded_at, clock_timestamp())
                FROM requested, reach WHERE position <= reach.upto
                ON CONFLICT (kind, id) DO NOTHING
                RETURNING pool
            )
            SELECT reach.upto, pass.head > pass.upto AND unreadable IS NULL AS is_behind, pass.kinds_count,
                ARRAY(SELECT pool FROM queued UNION {WAITING}) AS waiting,
                unreadable.position AS unreadable_position, unreadable.kind AS unreadable_kind,
                unreadable.event_type AS unreadable_type, unreadable.event_version AS unreadable_version
            FROM pass CROSS JOIN reach LEFT JOIN unreadable ON true"
        );
        let logged = self.kinds.iter().filter_map(|kind| Some((kind, kind.requested?)));
        let names: Vec<_> = logged.clone().map(|(kind, _)| kind.name).collect();
        let pools: Vec<_> = logged.clone().map(|(kind, _)| kind.pool).collect();
        let events: Vec<_> = logged.map(|(_, event)| event).collect();
        let client = self.log.get().await?;
        let statement = client.prepare_cached(&follow).await?;
        let parameters: [&(dyn ToSql + Sync); 5] =
            [&self.pools(), &names, &pools, &events, &PASS_POSITIONS];
        let row = client.query_one(&statement, &parameters).await?;
        if usize::try_from(row.try_get::<_, i64>("kinds_count")?) != Ok(names.len()) {
            let message = format!("one of the kinds of jobs {names:?} has no checkpoint");
            return Err(DatabaseError::Corrupt(message));
        }
        Ok(Followed {
            position: row.try_get("upto")?,
            waiting: row.try_get("waiting")?,
            is_behind: row.try_get("is_behind")?,
            ahead: unreadable(&row)?,
        })
    }

    /// Queues jobs, durably: what asked for them need not do so again. Those that wait, run or have ended are left alone;
    /// returns how many were not. Each job's events are looked up by themselves: a join is planned once, while the log is short,
    /// and would read every event of the aggregate type for ever after.
    ///
    /// # Errors
    /// The database.
    pub async fn add(&self, kind: &JobKind, jobs: &[NewJob]) -> Result<u64, DatabaseError> {
        const ADD: &str = "
            INSERT INTO jobs (kind, id, pool, owner_id, position, ready_at)
            SELECT $1, new.id, $2, new.owner_id, new.position, least(new.ready_at, clock_timestamp())
            FROM unnest($3::uuid[], $4::uuid[], $5::bigint[], $6::timestamptz[])
                AS new(id, owner_id, position, ready_at)
            WHERE (
                SELECT position FROM events AS event
                WHERE event.aggregate_type = $1 AND event.aggregate_id = new.id::text
                    AND event.event_type = ANY ($7)
                LIMIT 1) IS NULL
            ON CONFLICT (kind, id) DO NOTHING";
        let ids: Vec<_> = jobs.iter().map(|job| job.id).collect();
        let owners: Vec<_> = jobs.iter().map(|job| job.owner_id.uuid()).collect();
        let positions: Vec<_> = jobs.iter().map(|job| job.position).collect();
        let times: Vec<_> = jobs.iter().map(|job| job.ready_at).collect();
        let client = self.log.get().await?;
        let statement = client.prepare_cached(ADD).await?;
        let parameters: [&(dyn ToSql + Sync); 7] =
            [&kind.name, &kind.pool, &ids, &owners, &positions, &times, &kind.endings];
        Ok(client.execute(&statement, &parameters).await?)
    }

    /// The pools of this binary's kinds in which a job waits for an executor, or its lease has run out.
    ///
    /// # Errors
    /// The database.
    pub async fn waiting(&self) -> Result<Vec<String>, DatabaseError> {
        let client = self.log.get().await?;
        let statement = client.prepare_cached(WAITING).await?;
        let rows = client.query(&statement, &[&self.pools()]).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// Leases the next job of a pool to `executor`: of those that are ready one whose owner has the fewest leases, then the
    /// oldest; `None` if nothing waits or every owner of what waits has `leased_per_owner_max`.
    ///
    /// # Errors
    /// The database.
    pub async fn pick(
        &self,
        pool: &str,
        executor: &str,
        lease: Duration,
        leased_per_owner_max: i64,
    ) -> Result<Option<JobLease>, DatabaseError> {
        const PICK: &str = "SELECT kind, id, owner_id, attempt, term, expired_owner \
                            FROM pick_job($1, $2, $3, $4, $5)";
        let kinds = self.kinds.iter().filter(|kind| kind.pool == pool);
        let kinds: Vec<_> = kinds.map(|kind| kind.name).collect();
        let client = self.database.get().await?;
        let statement = client.prepare_cached(PICK).await?;
        let parameters: [&(dyn ToSql + Sync); 5] =
            [&pool, &kinds, &executor, &millis(lease), &leased_per_owner_max];
        let Some(row) = client.query_opt(&statement, &parameters).await? else { return Ok(None) };
        let lease = JobLease {
            kind: row.try_get("kind")?,
            id: row.try_get("id")?,
            owner_id: UserId::new(row.try_get("owner_id")?),
            lease_owner: executor.to_owned(),
            term: row.try_get("term")?,
            attempt: row.try_get::<_, i32>("attempt")?.unsigned_abs(),
        };
        if let Some(expired_owner) = row.try_get("expired_owner")? {
            let attempt = lease.attempt.saturating_sub(1);
            note_expired(&lease.kind, lease.id, expired_owner, attempt);
        }
        Ok(Some(lease))
    }

    /// Prolongs the lease and notes how far the job is, in percent; false if the lease was lost. It does not wait for the
    /// disk: what a crash of the server takes back ends the lease early.
    ///
    /// # Errors
    /// The database.
    pub async fn heartbeat(
        &self,
        lease: &JobLease,
        duration: Duration,
        percent: u8,
    ) -> Result<bool, DatabaseError> {
        const HEARTBEAT: &str = "
            UPDATE jobs
            SET lease_until = clock_timestamp() + $5::bigint * interval '1 millisecond', progress = $6
            FROM (SELECT set_config('synchronous_commit', 'off', true)) AS quick
            WHERE kind = $1 AND id = $2 AND lease_owner = $3 AND term = $4";
        self.change(HEARTBEAT, lease, &[&millis(duration), &i16::from(percent)]).await
    }

    /// Gives the job back for any executor to take, at once or after a pause; the attempt does not count. False if the lease
    /// was lost.
    ///
    /// # Errors
    /// The database.
    pub async fn release(
        &self,
        lease: &JobLease,
        pause: Option<Duration>,
    ) -> Result<bool, DatabaseError> {
        const RELEASE: &str = "
            UPDATE jobs SET lease_owner = NULL, lease_until = NULL, attempt = attempt - 1,
                ready_at = coalesce(clock_timestamp() + $5::bigint * interval '1 millisecond', ready_at)
            WHERE kind = $1 AND id = $2 AND lease_owner = $3 AND term = $4";
        self.change(RELEASE, lease, &[&pause.map(millis)]).await
    }

    /// Gives the job back for any executor to take after a pause; the attempt counts. False if the lease was lost.
    ///
    /// # Errors
    /// The database.
    pub async fn retry_at(&self, lease: &JobLease, pause: Duration) -> Result<bool, DatabaseError> {
        const RETRY: &str = "
            UPDATE jobs SET lease_owner = NULL, lease_until = NULL,
                ready_at = clock_timestamp() + $5::bigint * interval '1 millisecond'
            WHERE kind = $1 AND id = $2 AND lease_owner = $3 AND term = $4";
        self.change(RETRY, lease, &[&millis(pause)]).await
    }

    /// Removes the job: it is done, or refused. False if the lease was lost. It waits for the disk only if no event says that
    /// the job is over: a job that a crash of the server brings back is found to be over, and removed again.
    ///
    /// # Errors
    /// The database.
    pub async fn finish(&self, lease: &JobLease) -> Result<bool, DatabaseError> {
        const FINISH: &str = "
            DELETE FROM jobs USING (SELECT set_config('synchronous_commit', $5, true)) AS durability
            WHERE kind = $1 AND id = $2 AND lease_owner = $3 AND term = $4";
        let kind = self.kinds.iter().find(|kind| kind.name == lease.kind);
        let is_in_log = kind.is_some_and(|kind| !kind.endings.is_empty());
        self.change(FINISH, lease, &[&if is_in_log { "off" } else { "on" }]).await
    }

    /// How far these jobs are, in percent; those that neither wait nor run are left out.
    ///
    /// # Errors
    /// The database.
    pub async fn progress(
        &self,
        kind: &JobKind,
        ids: &[Uuid],
    ) -> Result<BTreeMap<Uuid, u8>, DatabaseError> {
        const PROGRESS: &str = "SELECT id, progress FROM jobs WHERE kind = $1 AND id = ANY ($2)";
        let client = self.database.get().await?;
        let statement = client.prepare_cached(PROGRESS).await?;
        let mut progress = BTreeMap::new();
        for row in client.query(&statement, &[&kind.name, &ids]).await? {
            let percent: i16 = row.try_get("progress")?;
            let percent = u8::try_from(percent)
                .map_err(|_| DatabaseError::Corrupt(format!("a progress of {percent} %")))?;
            progress.insert(row.try_get("id")?, percent);
        }
        Ok(progress)
    }

    /// How many jobs of each kind wait, and how many are running.
    ///
    /// # Errors
    /// The database.
    pub async fn depth(&self) -> Result<Vec<Depth>, DatabaseError> {
        const DEPTH: &str = "
            SELECT kind, count(*) AS all, count(*) FILTER (WHERE lease_until > clock_timestamp()) AS running
            FROM jobs GROUP BY kind";
        let client = self.database.get().await?;
        let statement = client.prepare_cached(DEPTH).await?;
        let mut counts: BTreeMap<String, (i64, i64)> = BTreeMap::new();
        for row in client.query(&statement, &[]).await? {
            let count = (row.try_get("all")?, row.try_get("running")?);
            counts.insert(row.try_get("kind")?, count);
        }
        let depth = |kind: &JobKind| {
            let (all, running) = counts.get(kind.name).copied().unwrap_or_default();
            Depth { kind: kind.name, waiting: all - running, running }
        };
        Ok(self.kinds.iter().map(depth).collect())
    }

    fn pools(&self) -> Vec<&'static str> {
        let mut pools: Vec<_> = self.kinds.iter().map(|kind| kind.pool).collect();
        pools.sort_unstable();
        pools.dedup();
        pools
    }

    /// Changes the job of this lease, and returns whether the lease was still held.
    async fn change(
        &self,
        statement: &str,
        lease: &JobLease,
        arguments: &[&(dyn ToSql + Sync)],
    ) -> Result<bool, DatabaseError> {
        let client = self.database.get().await?;
        let statement = client.prepare_cached(statement).await?;
        let JobLease { kind, id, lease_owner, term, .. } = lease;
        let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![kind, id, lease_owner, term];
        parameters.extend(arguments);
        Ok(client.execute(&statement, &parameters).await? == 1)
    }
}

/// Returns the request before which a pass rests; it is an error if a newer binary is no explanation for it.
fn unreadable(row: &Row) -> Result<Option<EventAhead>, DatabaseError> {
    let Some(position) = row.try_get::<_, Option<i64>>("unreadable_position")? else {
        return Ok(None);
    };
    let [kind, event_type, version]: [String; 3] = [
        row.try_get("unreadable_kind")?,
        row.try_get("unreadable_type")?,
        row.try_get("unreadable_version")?,
    ];
    let corrupt = || {
        let event = format!("`{event_type}` {version} of `{kind}` at position {position}");
        DatabaseError::Corrupt(format!("{event} names no owner"))
    };
    EventAhead::of(position, &kind, &event_type, &version).ok_or_else(corrupt).map(Some)
}

/// Notes that a lease ran out: its executor was killed, stopped, or cut off.
pub(super) fn note_expired(kind: &str, id: Uuid, lease_owner: &str, attempt: u32) {
    counter!(telemetry::LEASE_EXPIRIES, "kind" => kind.to_owned()).increment(1);
    tracing::warn!(kind, %id, executor = lease_owner, attempt, "a lease ran out");
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
