-- Equity is read from the log: its read model goes in every version, with all that the projections keep about it. The release
-- that brings this file needs a full stop, so no older binary fills the tables any more.

SET LOCAL ROLE backtrail_app;

DROP VIEW IF EXISTS read_models.equity_curves;

DO $$
DECLARE
    name text;
BEGIN
    -- `equity_curves_v2`, and what a rebuild left behind.
    FOR name IN SELECT tablename FROM pg_tables
                WHERE schemaname = 'read_models' AND tablename ~ '^equity_curves_v[0-9]+(_rebuild)?$' LOOP
        EXECUTE format('DROP TABLE read_models.%I', name);
    END LOOP;
END $$;

DELETE FROM read_models.checkpoints WHERE table_name ~ '^equity_curves_v[0-9]+(_rebuild)?$';
DELETE FROM read_models.dead_letters WHERE table_name ~ '^equity_curves_v[0-9]+(_rebuild)?$';

SET LOCAL ROLE backtrail_owner;
