-- What the reaper removes besides expired leases, sessions and commands: candles of imports that died.

-- Removes some candles of a revision that nobody will publish any more, in the end the revision; answers how many rows,
-- 0 when there is no such revision. Its importer held the series' lock (the session's, so that it ended with its connection):
-- who gets that lock is alone, and looks again after that, for the revision may have been published meanwhile.
CREATE FUNCTION remove_dead_import(rows_max bigint) RETURNS bigint
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    dead          candle_revisions;
    removed_count bigint;
BEGIN
    FOR dead IN SELECT * FROM candle_revisions WHERE published_at IS NULL ORDER BY revision LOOP
        -- The same as in the import.
        CONTINUE WHEN NOT pg_try_advisory_xact_lock(
            hashtextextended('candles ' || dead.symbol || ' ' || dead.timeframe, 0));
        PERFORM FROM candle_revisions WHERE revision = dead.revision AND published_at IS NULL;
        CONTINUE WHEN NOT FOUND;
        DELETE FROM candles WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM candles
            WHERE symbol = dead.symbol AND timeframe = dead.timeframe AND revision = dead.revision LIMIT rows_max));
        GET DIAGNOSTICS removed_count = ROW_COUNT;
        IF removed_count < rows_max THEN
            DELETE FROM candle_revisions WHERE revision = dead.revision;
            removed_count := removed_count + 1;
        END IF;
        RETURN removed_count;
    END LOOP;
    RETURN 0;
END $$;

REVOKE ALL ON FUNCTION remove_dead_import FROM PUBLIC;
GRANT EXECUTE ON FUNCTION remove_dead_import TO backtrail_app;

-- Tells whose expired lease was taken over, so that every expiry is counted once: here, or by the reaper, who takes an
-- expired lease off its row.
DROP FUNCTION pick_run;
CREATE FUNCTION pick_run(executor text, lease_ms bigint, running_per_owner_max bigint)
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

REVOKE ALL ON FUNCTION pick_run FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pick_run TO backtrail_app;
