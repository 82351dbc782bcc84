-- The run queue: which backtests wait, who works on them, until when. Only a cache of what the log says, so a
-- row may be lost with the last milliseconds before a crash of the server (the follower's checkpoint goes with it).

CREATE TABLE run_queue (
    backtest_id uuid PRIMARY KEY,
    owner_id uuid NOT NULL,
    -- Of its BacktestRequested: who came first is served first.
    position bigint NOT NULL,
    -- Attempts that counted; a lease that was given back does not.
    attempt integer NOT NULL DEFAULT 0,
    -- Counts leases: names one together with its owner.
    term bigint NOT NULL DEFAULT 0,
    lease_owner text,
    lease_until timestamptz,
    -- Percent.
    progress smallint NOT NULL DEFAULT 0
);

-- Followers of the log by name, each with the position up to which it has queued what it found.
CREATE TABLE run_queue_followers (
    follower text PRIMARY KEY,
    position bigint NOT NULL
);

INSERT INTO run_queue_followers (follower, position) VALUES ('log', 0);

-- Leases the next run to an executor: fewest running of its owner, then oldest. One pick at a time, so that
-- two executors never both take an owner's last free place; it is a function because the count must be read
-- after the lock was taken.
CREATE FUNCTION pick_run(executor text, lease_ms bigint, running_per_owner_max bigint)
RETURNS TABLE (backtest_id uuid, owner_id uuid, attempt integer, term bigint)
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
        SELECT queued.backtest_id
        FROM run_queue AS queued
        LEFT JOIN running ON running.owner_id = queued.owner_id
        WHERE (queued.lease_until IS NULL OR queued.lease_until <= clock_timestamp())
            AND coalesce(running.running_count, 0) < running_per_owner_max
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
    RETURNING leased.backtest_id, leased.owner_id, leased.attempt, leased.term;
END
$$;

REVOKE ALL ON FUNCTION pick_run FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pick_run TO backtrail_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON run_queue TO backtrail_app;
GRANT SELECT, INSERT, UPDATE ON run_queue_followers TO backtrail_app;
