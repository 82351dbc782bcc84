-- The queues of binaries from before jobs: this release needs a full stop, so none of those shares the database any more, and
-- what they queued became a job by their trigger. A pick no longer asks what they work on, and finds the next job by its age.

DROP FUNCTION pick_run;
DROP FUNCTION pick_sweep;
DROP TABLE run_queue, run_queue_followers, sweep_queue;
DROP FUNCTION add_older_job;

CREATE INDEX jobs_oldest ON jobs (pool, ready_at, position) WHERE lease_owner IS NULL;

-- Leases the next job of a pool to an executor: of those that are ready and whose owner has fewer than so many leases, one whose
-- owner has the fewest, then the oldest. Most often that is one of the oldest few, which one walk by age finds. Otherwise it
-- walks the owners that wait, not the jobs. One pick of a pool at a time, so that two executors never both take an owner's last
-- free place; it is a function because the leases must be counted after the lock was taken.
CREATE OR REPLACE FUNCTION pick_job(pool_name text, kinds text[], executor text, lease_ms bigint, leased_per_owner_max bigint)
RETURNS TABLE (kind text, id uuid, owner_id uuid, attempt integer, term bigint, expired_owner text)
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp
-- By its indexes, whatever the statistics say of a queue that grows and shrinks; such a plan looks too dear not to be compiled.
SET enable_seqscan = off
SET enable_bitmapscan = off
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    picked_at timestamptz;
    next_kind text;
    next_id uuid;
    next_expired_owner text;
BEGIN
    -- A lease that is lost with the server's last moment is taken again, and the claim in the log decides.
    PERFORM set_config('synchronous_commit', 'off', true);
    PERFORM pg_advisory_xact_lock(hashtextextended('pick ' || pool_name, 0));
    picked_at := clock_timestamp();

    -- The oldest of an owner without a lease, among the oldest few: nothing comes before it.
    IF leased_per_owner_max > 0 THEN
        SELECT oldest.kind, oldest.id INTO next_kind, next_id
        FROM (
            SELECT kind, id, owner_id, ready_at, position
            FROM jobs
            WHERE pool = pool_name AND lease_owner IS NULL AND ready_at <= picked_at AND kind = ANY (kinds)
            ORDER BY ready_at, position
            LIMIT 32
        ) AS oldest
        -- A lease that has run out competes by its age, and is weighed below.
        WHERE NOT EXISTS (
            SELECT FROM jobs AS expired
            WHERE pool = pool_name AND lease_owner IS NOT NULL AND lease_until <= picked_at AND kind = ANY (kinds))
        AND NOT EXISTS (
            SELECT FROM jobs AS leased
            WHERE pool = pool_name AND lease_owner IS NOT NULL AND owner_id = oldest.owner_id)
        ORDER BY oldest.ready_at, oldest.position
        LIMIT 1;
    END IF;

    IF next_id IS NULL THEN
        WITH RECURSIVE leased AS MATERIALIZED (
            SELECT owner_id, count(*) AS leased_count
            FROM jobs
            WHERE pool = pool_name AND lease_owner IS NOT NULL AND lease_until > picked_at
            GROUP BY owner_id
        ), waiting AS (
            (
                SELECT owner_id, kind, id, ready_at, position
                FROM jobs
                WHERE pool = pool_name AND lease_owner IS NULL AND kind = ANY (kinds)
                ORDER BY owner_id, ready_at, position
                LIMIT 1
            )
            UNION ALL
            SELECT next.owner_id, next.kind, next.id, next.ready_at, next.position
            FROM waiting CROSS JOIN LATERAL (
                SELECT owner_id, kind, id, ready_at, position
                FROM jobs
                WHERE pool = pool_name AND lease_owner IS NULL AND owner_id > waiting.owner_id AND kind = ANY (kinds)
                ORDER BY owner_id, ready_at, position
                LIMIT 1
            ) AS next
        ), expired AS MATERIALIZED (
            SELECT owner_id, kind, id, ready_at, position, lease_owner
            FROM jobs
            WHERE pool = pool_name AND lease_owner IS NOT NULL AND lease_until <= picked_at AND kind = ANY (kinds)
            FOR UPDATE SKIP LOCKED
        )
        SELECT ready.kind, ready.id, ready.expired_owner INTO next_kind, next_id, next_expired_owner
        FROM (
            SELECT owner_id, kind, id, ready_at, position, NULL AS expired_owner
            FROM waiting WHERE ready_at <= picked_at
            UNION ALL
            SELECT owner_id, kind, id, ready_at, position, lease_owner FROM expired
        ) AS ready
        LEFT JOIN leased USING (owner_id)
        WHERE coalesce(leased.leased_count, 0) < leased_per_owner_max
        ORDER BY coalesce(leased.leased_count, 0), ready.ready_at, ready.position
        LIMIT 1;
    END IF;

    RETURN QUERY
    UPDATE jobs AS own
    SET lease_owner = executor,
        lease_until = picked_at + lease_ms * interval '1 millisecond',
        attempt = own.attempt + 1,
        term = own.term + 1,
        progress = 0
    WHERE own.kind = next_kind AND own.id = next_id
    RETURNING own.kind, own.id, own.owner_id, own.attempt, own.term, next_expired_owner;
END
$$;
