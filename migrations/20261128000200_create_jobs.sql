-- Jobs: what executors work on, of every kind, who works on it and until when. Kinds are data. Of a kind that an event asks
-- for, a row is only a cache of what the log says: it may be lost with the last milliseconds before a crash of the server
-- (the kind's checkpoint goes with it).

CREATE TABLE jobs (
    -- backtest, sweep, …
    kind        text        NOT NULL,
    -- The aggregate's; a job without an aggregate has an id of its own.
    id          uuid        NOT NULL,
    -- runs, sweeps, …: each has its own concurrency and its own pick lock, so that no kind starves another.
    pool        text        NOT NULL,
    owner_id    uuid        NOT NULL,
    -- Of the event that asked for it; null where none did.
    position    bigint,
    -- When it was asked for; later while it backs off.
    ready_at    timestamptz NOT NULL,
    -- Attempts that counted; a lease that was released does not.
    attempt     integer     NOT NULL DEFAULT 0,
    -- Counts leases: names one together with its owner.
    term        bigint      NOT NULL DEFAULT 0,
    lease_owner text,
    lease_until timestamptz,
    -- Percent.
    progress    smallint    NOT NULL DEFAULT 0,
    -- What a job needs to know that no event says.
    payload     jsonb,
    PRIMARY KEY (kind, id)
    -- Heartbeats find room on their page and touch no index: none holds a column that they change.
) WITH (fillfactor = 70);

CREATE INDEX jobs_waiting ON jobs (pool, owner_id, ready_at, position) WHERE lease_owner IS NULL;
CREATE INDEX jobs_leased ON jobs (pool, owner_id) WHERE lease_owner IS NOT NULL;

-- Of each kind that events ask for: the position up to which everything that was asked for is queued. One for each kind, so
-- that an older binary never moves past the events of a kind that it does not know.
CREATE TABLE job_checkpoints (
    kind     text   PRIMARY KEY,
    position bigint NOT NULL
);

GRANT SELECT, INSERT, UPDATE, DELETE ON jobs TO backtrail_app;
GRANT SELECT, UPDATE ON job_checkpoints TO backtrail_app;

-- An older binary may share the database until the release that drops run_queue and sweep_queue. What it queues (with Kafka,
-- as the only one to see a message) is a job, too; what it works on is left alone, and the reverse.
CREATE FUNCTION add_older_job() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    IF TG_TABLE_NAME = 'run_queue' THEN
        INSERT INTO jobs (kind, id, pool, owner_id, position, ready_at)
        VALUES ('backtest', new.backtest_id, 'runs', new.owner_id, new.position, clock_timestamp())
        ON CONFLICT (kind, id) DO NOTHING;
    ELSE
        INSERT INTO jobs (kind, id, pool, owner_id, position, ready_at)
        VALUES ('sweep', new.sweep_id, 'sweeps', new.owner_id, new.position, clock_timestamp())
        ON CONFLICT (kind, id) DO NOTHING;
    END IF;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION add_older_job FROM PUBLIC;

-- The triggers lock the tables, so nothing is queued between them and the copy.
CREATE TRIGGER add_job AFTER INSERT ON run_queue FOR EACH ROW EXECUTE FUNCTION add_older_job();
CREATE TRIGGER add_job AFTER INSERT ON sweep_queue FOR EACH ROW EXECUTE FUNCTION add_older_job();

-- A lease that an older binary holds most often ends with the release of that binary, which does not count.
INSERT INTO jobs (kind, id, pool, owner_id, position, ready_at, attempt)
SELECT 'backtest', backtest_id, 'runs', owner_id, position, clock_timestamp(),
    attempt - (lease_until IS NOT NULL AND lease_until > clock_timestamp() AND attempt > 0)::int
FROM run_queue
UNION ALL
SELECT 'sweep', sweep_id, 'sweeps', owner_id, position, clock_timestamp(),
    attempt - (lease_until IS NOT NULL AND lease_until > clock_timestamp() AND attempt > 0)::int
FROM sweep_queue;

INSERT INTO job_checkpoints (kind, position)
SELECT CASE follower WHEN 'log' THEN 'backtest' ELSE 'sweep' END, position
FROM run_queue_followers WHERE follower IN ('log', 'sweeps');

-- Finds the leases that executors of an older binary hold, in tables that no longer shrink once there is none.
CREATE INDEX run_queue_leased ON run_queue (lease_owner) WHERE lease_owner IS NOT NULL;
CREATE INDEX sweep_queue_leased ON sweep_queue (lease_owner) WHERE lease_owner IS NOT NULL;

-- Leases the next job of a pool to an executor: of each owner with fewer than so many leases the first that is ready, of those
-- the one whose owner has the fewest leases, then the oldest. It walks the owners that wait, not the jobs. One pick of a pool
-- at a time, so that two executors never both take an owner's last free place; it is a function because the leases must be
-- counted after the lock was taken.
CREATE FUNCTION pick_job(pool_name text, kinds text[], executor text, lease_ms bigint, leased_per_owner_max bigint)
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
    -- What executors of an older binary work on.
    older_ids uuid[];
BEGIN
    -- A lease that is lost with the server's last moment is taken again, and the claim in the log decides.
    PERFORM set_config('synchronous_commit', 'off', true);
    -- The first two are the locks of pick_run and pick_sweep.
    PERFORM pg_advisory_xact_lock(CASE pool_name
        WHEN 'runs' THEN 7238912201
        WHEN 'sweeps' THEN 7238912202
        ELSE hashtextextended('pick ' || pool_name, 0)
    END);
    older_ids := ARRAY(
        SELECT backtest_id FROM run_queue WHERE lease_owner IS NOT NULL AND lease_until > clock_timestamp()
        UNION ALL
        SELECT sweep_id FROM sweep_queue WHERE lease_owner IS NOT NULL AND lease_until > clock_timestamp());
    RETURN QUERY
    WITH RECURSIVE leased AS MATERIALIZED (
        SELECT owner_id, count(*) AS leased_count
        FROM jobs
        WHERE pool = pool_name AND lease_owner IS NOT NULL AND lease_until > clock_timestamp()
        GROUP BY owner_id
    ), waiting AS (
        (
            SELECT owner_id, kind, id, ready_at, position
            FROM jobs
            WHERE pool = pool_name AND lease_owner IS NULL AND kind = ANY (kinds) AND id <> ALL (older_ids)
            ORDER BY owner_id, ready_at, position
            LIMIT 1
        )
        UNION ALL
        SELECT next.owner_id, next.kind, next.id, next.ready_at, next.position
        FROM waiting CROSS JOIN LATERAL (
            SELECT owner_id, kind, id, ready_at, position
            FROM jobs
            WHERE pool = pool_name AND lease_owner IS NULL AND owner_id > waiting.owner_id
                AND kind = ANY (kinds) AND id <> ALL (older_ids)
            ORDER BY owner_id, ready_at, position
            LIMIT 1
        ) AS next
    ), expired AS MATERIALIZED (
        SELECT owner_id, kind, id, ready_at, position, lease_owner
        FROM jobs
        WHERE pool = pool_name AND lease_owner IS NOT NULL AND lease_until <= clock_timestamp()
            AND kind = ANY (kinds) AND id <> ALL (older_ids)
        FOR UPDATE SKIP LOCKED
    ), next AS (
        SELECT ready.kind, ready.id, ready.expired_owner
        FROM (
            SELECT owner_id, kind, id, ready_at, position, NULL AS expired_owner
            FROM waiting WHERE ready_at <= clock_timestamp()
            UNION ALL
            SELECT owner_id, kind, id, ready_at, position, lease_owner FROM expired
        ) AS ready
        LEFT JOIN leased USING (owner_id)
        WHERE coalesce(leased.leased_count, 0) < leased_per_owner_max
        ORDER BY coalesce(leased.leased_count, 0), ready.ready_at, ready.position
        LIMIT 1
    )
    UPDATE jobs AS own
    SET lease_owner = executor,
        lease_until = clock_timestamp() + lease_ms * interval '1 millisecond',
        attempt = own.attempt + 1,
        term = own.term + 1,
        progress = 0
    FROM next
    WHERE own.kind = next.kind AND own.id = next.id
    RETURNING own.kind, own.id, own.owner_id, own.attempt, own.term, next.expired_owner;
END
$$;
REVOKE ALL ON FUNCTION pick_job FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pick_job TO backtrail_app;

-- As before, but for what a newer executor works on.
CREATE OR REPLACE FUNCTION pick_run(executor text, lease_ms bigint, running_per_owner_max bigint)
RETURNS TABLE (backtest_id uuid, owner_id uuid, attempt integer, term bigint, expired_owner text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    -- A lease that is lost with the server's last moment is taken again, and the claim in the log decides.
    PERFORM set_config('synchronous_commit', 'off', true);
    PERFORM pg_advisory_xact_lock(7238912201);
    RETURN QUERY
    WITH running AS (
        SELECT owner_id, count(*) AS running_count
        FROM run_queue
        WHERE lease_until > clock_timestamp()
        GROUP BY owner_id
    ), next AS (
        SELECT queued.backtest_id, queued.lease_owner
        FROM run_queue AS queued
        LEFT JOIN running ON running.owner_id = queued.owner_id
        WHERE (queued.lease_until IS NULL OR queued.lease_until <= clock_timestamp())
            AND coalesce(running.running_count, 0) < running_per_owner_max
            AND NOT EXISTS (
                SELECT FROM jobs
                WHERE kind = 'backtest' AND id = queued.backtest_id AND lease_owner IS NOT NULL
                    AND lease_until > clock_timestamp())
        ORDER BY coalesce(running.running_count, 0), queued.position
        LIMIT 1
        FOR UPDATE OF queued SKIP LOCKED
    )
    UPDATE run_queue AS leased
    SET lease_owner = executor,
        lease_until = clock_timestamp() + lease_ms * interval '1 millisecond',
        attempt = leased.attempt + 1,
        term = leased.term + 1,
        progress = 0
    FROM next
    WHERE leased.backtest_id = next.backtest_id
    RETURNING leased.backtest_id, leased.owner_id, leased.attempt, leased.term, next.lease_owner;
END
$$;

CREATE OR REPLACE FUNCTION pick_sweep(executor text, lease_ms bigint, running_per_owner_max bigint)
RETURNS TABLE (sweep_id uuid, owner_id uuid, attempt integer, term bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    PERFORM pg_advisory_xact_lock(7238912202);
    RETURN QUERY
    WITH running AS (
        SELECT owner_id, count(*) AS running_count
        FROM sweep_queue
        WHERE lease_until > clock_timestamp()
        GROUP BY owner_id
    ), next AS (
        SELECT queued.sweep_id
        FROM sweep_queue AS queued
        LEFT JOIN running ON running.owner_id = queued.owner_id
        WHERE (queued.lease_until IS NULL OR queued.lease_until <= clock_timestamp())
            AND coalesce(running.running_count, 0) < running_per_owner_max
            AND NOT EXISTS (
                SELECT FROM jobs
                WHERE kind = 'sweep' AND id = queued.sweep_id AND lease_owner IS NOT NULL
                    AND lease_until > clock_timestamp())
        ORDER BY coalesce(running.running_count, 0), queued.position
        LIMIT 1
        FOR UPDATE OF queued SKIP LOCKED
    )
    UPDATE sweep_queue AS leased
    SET lease_owner = executor,
        lease_until = clock_timestamp() + lease_ms * interval '1 millisecond',
        attempt = leased.attempt + 1,
        term = leased.term + 1,
        progress = 0
    FROM next
    WHERE leased.sweep_id = next.sweep_id
    RETURNING leased.sweep_id, leased.owner_id, leased.attempt, leased.term;
END
$$;
