-- What the audit's hash of an event takes for granted (its format names lengths and times): texts of at most 1,024 bytes, times
-- that fit microseconds since 1970, and UTF-8. Rows that are there already are checked by the next file.

DO $$
BEGIN
    IF current_setting('server_encoding') <> 'UTF8' THEN
        RAISE EXCEPTION 'the encoding of this database is %, and Backtrail needs UTF8: create the database with ENCODING UTF8',
            current_setting('server_encoding');
    END IF;
END $$;

ALTER TABLE events
    ADD CONSTRAINT events_texts_are_short CHECK (
        octet_length(aggregate_type) <= 1024 AND octet_length(aggregate_id) <= 1024
        AND octet_length(event_type) <= 1024 AND octet_length(event_version) <= 1024) NOT VALID,
    ADD CONSTRAINT events_recorded_at_has_microseconds CHECK (
        recorded_at >= '0001-01-01T00:00Z' AND recorded_at < '10000-01-01T00:00Z') NOT VALID;
