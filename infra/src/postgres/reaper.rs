//! The reaper: removes what has expired and has no other owner. One process at a time does it, and every statement checks that
//! it still leads. Nothing waits for it: executors take over expired leases without it too.

use std::time::Duration;

use domain::{job::JobAggregate, sweep::Sweep};
use tokio::{
    sync::watch,
    time::{self, MissedTickBehavior},
};
use tokio_postgres::types::ToSql;

use super::{
    database::{Database, DatabaseError},
    event_store::JOBS_CHANNEL,
    jobs::note_expired,
    leaders::{Candidate, IS_HELD, Leadership},
};
use crate::process;

/// The role's name in `leaders`.
pub const ROLE: &str = "reaper";
const LEASES_EVERY: Duration = Duration::from_millis(500);
const LEFTOVERS_EVERY: Duration = Duration::from_secs(600);
/// Rows of one statement, so that none takes long.
const ROWS_MAX: i64 = 10_000;

/// Reaps whenever this candidate leads, until `stop` is true.
pub async fn run(candidate: Candidate, database: Database, stop: watch::Receiver<bool>) {
    let work = |leadership| {
        let reaper = Reaper { database: database.clone(), leadership };
        reaper.work(stop.clone())
    };
    candidate.lead(stop.clone(), work).await;
}

/// Removes rows that an executor wrote of a sweep that is over, unless they are the result that its events name: it wrote them after
/// the sweep was deleted, cancelled or completed by another, and died before it could remove them. Walks sweeps, not rows.
fn unnamed_results() -> String {
    let [completed, .., deleted] = Sweep::EVENTS.endings;
    let endings = Sweep::EVENTS.endings.map(|name| format!("'{name}'")).join(", ");
    format!(
        "WITH RECURSIVE results AS (
            (SELECT sweep_id, result_hash FROM read_models.sweep_results ORDER BY sweep_id, result_hash LIMIT 1)
            UNION ALL
            SELECT next.sweep_id, next.result_hash FROM results CROSS JOIN LATERAL (
                SELECT sweep_id, result_hash FROM read_models.sweep_results AS own
                WHERE (own.sweep_id, own.result_hash) > (results.sweep_id, results.result_hash)
                ORDER BY sweep_id, result_hash LIMIT 1) AS next
        ), unnamed AS MATERIALIZED (
            SELECT sweep_id, result_hash FROM results CROSS JOIN LATERAL (
                SELECT coalesce(bool_or(event_type IN ({endings})), false) AS is_over,
                    bool_or(event_type = '{completed}' AND payload ->> 'result_hash' = results.result_hash)
                        AND NOT bool_or(event_type = '{deleted}') AS is_named
                FROM events WHERE aggregate_type = 'sweep' AND aggregate_id = results.sweep_id::text) AS story
            WHERE is_over AND NOT is_named
        ), gone AS (
            DELETE FROM read_models.sweep_results WHERE ctid = ANY (ARRAY(
                SELECT own.ctid FROM unnamed CROSS JOIN LATERAL (
                    SELECT own.ctid FROM read_models.sweep_results AS own
                    WHERE own.sweep_id = unnamed.sweep_id AND own.result_hash = unnamed.result_hash LIMIT $4) AS own
                LIMIT $4))
            AND IS_HELD RETURNING 1)
        SELECT count(*) FROM gone"
    )
}

/// The reaper of one term.
struct Reaper {
    database: Database,
    leadership: Leadership,
}

impl Reaper {
    async fn work(self, mut stop: watch::Receiver<bool>) {
        let ticks = |period| {
            let mut ticks = time::interval(period);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        };
        let (mut leases, mut leftovers) = (ticks(LEASES_EVERY), ticks(LEFTOVERS_EVERY));
        loop {
            let reaped = tokio::select! {
                _ = leases.tick() => self.free_leases().await,
                _ = leftovers.tick() => self.remove_leftovers().await,
                () = process::stopped(&mut stop) => return,
            };
            if let Err(error) = reaped {
                tracing::warn!(%error, "the reaper tries again later");
            }
        }
    }

    /// Frees the jobs whose lease ran out, and wakes executors.
    async fn free_leases(&self) -> Result<(), DatabaseError> {
        let free = format!(
            "WITH expired AS MATERIALIZED (
                SELECT kind, id, lease_owner, attempt FROM jobs
                WHERE lease_owner IS NOT NULL AND lease_until <= clock_timestamp() AND {IS_HELD}
                LIMIT $4 FOR UPDATE OF jobs SKIP LOCKED
            ), freed AS MATERIALIZED (
                UPDATE jobs AS own SET lease_owner = NULL, lease_until = NULL
                FROM expired WHERE own.kind = expired.kind AND own.id = expired.id
                RETURNING expired.*
            ), notified AS MATERIALIZED (
                SELECT pg_notify('{JOBS_CHANNEL}', '') FROM freed LIMIT 1
            )
            SELECT freed.* FROM freed, (SELECT count(*) FROM notified) AS notified"
        );
        let client = self.database.get().await?;
        let statement = client.prepare_cached(&free).await?;
        for row in client.query(&statement, &self.with(&ROWS_MAX)).await? {
            let attempt: i32 = row.try_get("attempt")?;
            let (kind, lease_owner) = (row.try_get("kind")?, row.try_get("lease_owner")?);
            note_expired(kind, row.try_get("id")?, lease_owner, attempt.unsigned_abs());
        }
        Ok(())
    }

    /// Old keys of commands and other requests, sessions that are over, candles of imports that died, rows of sweeps that no result
    /// names.
    async fn remove_leftovers(&self) -> Result<(), DatabaseError> {
        let sessions = "WITH gone AS (
                DELETE FROM sessions WHERE token_hash = ANY (ARRAY(
                    SELECT token_hash FROM sessions WHERE expires_at < now() LIMIT $4 FOR UPDATE SKIP LOCKED))
                AND IS_HELD RETURNING 1)
            SELECT count(*) FROM gone";
        let requests = "WITH gone AS (
                DELETE FROM request_keys WHERE ctid = ANY (ARRAY(
                    SELECT ctid FROM request_keys WHERE recorded_at < now() - interval '25 hours'
                    LIMIT $4 FOR UPDATE SKIP LOCKED))
                AND IS_HELD RETURNING 1)
            SELECT count(*) FROM gone";
        for (what, sql) in [
            ("requests", requests),
            (
                "commands",
                "SELECT coalesce((SELECT forget_commands() WHERE IS_HELD AND $4::bigint > 0), 0)",
            ),
            ("sessions", sessions),
            ("candles", "SELECT coalesce((SELECT remove_dead_import($4) WHERE IS_HELD), 0)"),
            ("sweep results", &unnamed_results()),
        ] {
            let count = self.repeat(&sql.replace("IS_HELD", IS_HELD)).await?;
            if count > 0 {
                tracing::info!(count, "removed old {what}");
            }
        }
        Ok(())
    }

    /// Works until there is nothing left to do or this reaper no longer leads; returns how many rows it removed.
    async fn repeat(&self, sql: &str) -> Result<i64, DatabaseError> {
        let client = self.database.get().await?;
        let statement = client.prepare_cached(sql).await?;
        let mut total = 0;
        loop {
            let row = client.query_one(&statement, &self.with(&ROWS_MAX)).await?;
            let count: i64 = row.try_get(0)?;
            if count == 0 {
                return Ok(total);
            }
            total += count;
        }
    }

    fn with<'a>(&'a self, more: &'a (dyn ToSql + Sync)) -> [&'a (dyn ToSql + Sync); 4] {
        let [role, holder, term] = self.leadership.parameters();
        [role, holder, term, more]
    }
}
