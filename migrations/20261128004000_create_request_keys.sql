-- `Idempotency-Key`s of requests that append no events, such as signing up; those of commands lie in command_ids.

CREATE TABLE request_keys (
    owner       uuid        NOT NULL,  -- the user, or the UUIDv5 of an anonymous client's address
    route       text        NOT NULL,
    key         text        NOT NULL,
    body_hash   bytea       NOT NULL,
    resource_id text        NOT NULL,  -- what the request created; empty if that is nothing
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (owner, route, key)
);
CREATE INDEX request_keys_recorded_at ON request_keys (recorded_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON request_keys TO backtrail_app;
