-- Candles name their series by a number: an index over two texts was most of what storing them cost.

CREATE TABLE candle_series (
    id        integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    symbol    text NOT NULL REFERENCES markets,
    timeframe text NOT NULL,
    UNIQUE (symbol, timeframe)
);

INSERT INTO candle_series (symbol, timeframe)
SELECT symbol, timeframe FROM candle_revisions GROUP BY symbol, timeframe ORDER BY min(revision);

ALTER TABLE candles RENAME TO older_candles;
ALTER INDEX candles_key RENAME TO older_candles_key;

CREATE TABLE candles (
    open_time bigint NOT NULL,  -- epoch milliseconds UTC
    revision  bigint NOT NULL,
    open      double precision NOT NULL,
    high      double precision NOT NULL,
    low       double precision NOT NULL,
    close     double precision NOT NULL,
    volume    double precision NOT NULL,
    series    integer NOT NULL,
    is_open   boolean NOT NULL  -- not closed when it was imported: no run uses it
);

INSERT INTO candles (open_time, revision, open, high, low, close, volume, series, is_open)
SELECT open_time, revision, open, high, low, close, volume, candle_series.id, is_open
FROM older_candles JOIN candle_series USING (symbol, timeframe)
ORDER BY candle_series.id, open_time, revision DESC;

CREATE UNIQUE INDEX candles_key ON candles (series, open_time, revision DESC);
DROP TABLE older_candles;

GRANT SELECT, INSERT ON candle_series TO backtrail_app;
GRANT SELECT, INSERT, DELETE ON candles TO backtrail_app;

-- As before, but for the series' number, and rows that a dead importer's connection commits after its lock is gone.
CREATE OR REPLACE FUNCTION remove_dead_import(rows_max bigint) RETURNS bigint
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
        -- Waits for what the dead importer may still be writing.
        PERFORM FROM candle_revisions WHERE revision = dead.revision AND published_at IS NULL FOR UPDATE;
        CONTINUE WHEN NOT FOUND;
        DELETE FROM candles WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM candles
            WHERE series = (SELECT id FROM candle_series WHERE symbol = dead.symbol AND timeframe = dead.timeframe)
                AND revision = dead.revision
            LIMIT rows_max));
        GET DIAGNOSTICS removed_count = ROW_COUNT;
        IF removed_count < rows_max THEN
            DELETE FROM candle_revisions WHERE revision = dead.revision;
            removed_count := removed_count + 1;
        END IF;
        RETURN removed_count;
    END LOOP;
    RETURN 0;
END $$;
