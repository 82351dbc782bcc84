-- What the projections keep about themselves. The read models' own tables carry their version in their name
-- (`backtests_v1`) and are made by the code that fills them.

-- The schema is the application's, and so is everything in it.
SET LOCAL ROLE backtrail_app;

CREATE TABLE read_models.checkpoints (
    -- `backtests_v1`, or `backtests_v1_rebuild` while it is rebuilt.
    table_name   text        PRIMARY KEY,
    -- Every event up to here is in the table.
    position     bigint      NOT NULL DEFAULT 0,
    -- A stopped one waits until its dead letter is retried or discarded.
    state        text        NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'stopped')),
    -- When it had reached the end of the log for the first time.
    caught_up_at timestamptz
);

-- Events that a projection could not take in.
CREATE TABLE read_models.dead_letters (
    id             uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    table_name     text        NOT NULL,
    position       bigint      NOT NULL,
    aggregate_type text        NOT NULL,
    aggregate_id   text        NOT NULL,
    event_type     text        NOT NULL,
    error          text        NOT NULL,
    state          text        NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'retried', 'discarded')),
    created_at     timestamptz NOT NULL DEFAULT now(),
    resolved_at    timestamptz,
    UNIQUE (table_name, position)
);

SET LOCAL ROLE backtrail_owner;
