-- A pick is planned once for each connection: its plan follows from its settings, and planning it took longer than running it.

ALTER FUNCTION pick_job(text, text[], text, bigint, bigint) SET plan_cache_mode = force_generic_plan;
