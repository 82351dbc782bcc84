-- The relay from the log to Kafka: how far it is, where it stands stopped, and what it was told to leave out.

-- One for each set of topics.
CREATE TABLE relays (
    topic_prefix     text        PRIMARY KEY,
    -- Everything up to here is with the brokers, or was left out.
    position         bigint      NOT NULL DEFAULT 0,
    -- The event that cannot be sent, if it stands before one.
    stopped_position bigint,
    stopped_reason   text,
    stopped_at       timestamptz
);

-- Who let the relay leave an event out, when and why. Kept for ever.
CREATE TABLE relay_skips (
    topic_prefix text        NOT NULL,
    position     bigint      NOT NULL,
    -- Why the event could not be sent.
    refusal      text        NOT NULL,
    -- Why it may be missing.
    reason       text        NOT NULL CHECK (reason <> ''),
    skipped_by   text        NOT NULL CHECK (skipped_by <> ''),
    skipped_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (topic_prefix, position)
);
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON relay_skips
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

GRANT SELECT, INSERT, UPDATE ON relays TO backtrail_app;
GRANT SELECT, INSERT ON relay_skips TO backtrail_app;

-- Messages that the executors' consumer could not understand lie among the dead letters too: their table_name is the topic
-- with its partition (`backtrail.backtest[3]`), their position the offset in it.
SET LOCAL ROLE backtrail_app;
ALTER TABLE read_models.dead_letters
    -- Topic, partition, offset, key, headers and payload (base64) of a message; none for an event of the log.
    ADD COLUMN message jsonb;
SET LOCAL ROLE backtrail_owner;
