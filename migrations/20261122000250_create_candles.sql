-- Candles in revisions: an import writes only what differs, under a revision that one row publishes,
-- so that a series can be rebuilt as it was at any revision.

CREATE SEQUENCE candle_revisions_revision_seq;

CREATE TABLE candle_revisions (
    revision     bigint PRIMARY KEY DEFAULT nextval('candle_revisions_revision_seq'),
    symbol       text NOT NULL REFERENCES markets,
    timeframe    text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    published_at timestamptz,
    -- What the series holds with this revision, once it is published.
    rows         bigint,
    first_time   bigint,
    last_time    bigint
);
CREATE INDEX candle_revisions_series ON candle_revisions (symbol, timeframe, revision DESC);

CREATE TABLE candles (
    symbol    text NOT NULL,
    timeframe text NOT NULL,
    open_time bigint NOT NULL,  -- epoch milliseconds UTC
    revision  bigint NOT NULL,
    open      double precision NOT NULL,
    high      double precision NOT NULL,
    low       double precision NOT NULL,
    close     double precision NOT NULL,
    volume    double precision NOT NULL,
    is_open   boolean NOT NULL  -- not closed when it was imported: no run uses it
);
CREATE UNIQUE INDEX candles_key ON candles (symbol, timeframe, open_time, revision DESC);

GRANT USAGE ON SEQUENCE candle_revisions_revision_seq TO backtrail_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON candle_revisions TO backtrail_app;
GRANT SELECT, INSERT, DELETE ON candles TO backtrail_app;
