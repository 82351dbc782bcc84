-- Sweeps: the queue of those that wait, and the rows of those that are done. Rows are no events: they can be computed
-- again, and the hash in SweepCompleted proves them.

-- Like run_queue, a cache of what the log says; apart from it, so that a sweep never takes a backtest's place.
CREATE TABLE sweep_queue (
    sweep_id uuid PRIMARY KEY,
    owner_id uuid NOT NULL,
    -- Of its SweepRequested: who came first is served first.
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

INSERT INTO run_queue_followers (follower, position) VALUES ('sweeps', 0);

-- Leases the next sweep to an executor: fewest running of its owner, then oldest. One pick at a time, as in pick_run.
CREATE FUNCTION pick_sweep(executor text, lease_ms bigint, running_per_owner_max bigint)
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

REVOKE ALL ON FUNCTION pick_sweep FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pick_sweep TO backtrail_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON sweep_queue TO backtrail_app;

-- Written by executors, whole sweeps at a time, before the event that names their hash; read only under that hash.
SET LOCAL ROLE backtrail_app;

CREATE TABLE read_models.sweep_results (
    sweep_id               uuid    NOT NULL,
    -- Of all rows of this computation, hex.
    result_hash            text    NOT NULL,
    number                 integer NOT NULL,
    -- The number as 128 bits: what cursors name.
    id                     uuid    NOT NULL,
    -- By the sweep's objective, the best first, from 1.
    rank                   integer NOT NULL,
    parameters             json    NOT NULL,
    -- These are null where the combination has no result, and then there is an error.
    final_balance          numeric,
    trades_count           integer,
    ambiguous_trades_count integer,
    metrics                json,
    error                  json,
    PRIMARY KEY (sweep_id, result_hash, number)
);

SET LOCAL ROLE backtrail_owner;
