-- Leaders: who has a role that one process at a time may have (the reaper, the relay), and until when.

CREATE TABLE leaders (
    role   text        PRIMARY KEY,
    -- A process, by a name that no other has.
    holder text        NOT NULL,
    -- Counts leaders: names one together with its holder.
    term   bigint      NOT NULL,
    -- By this server's clock; whatever a leader writes looks here in the same statement.
    until  timestamptz NOT NULL
);

GRANT SELECT, INSERT, UPDATE ON leaders TO backtrail_app;
