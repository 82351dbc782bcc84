-- append_events also tells how long it waited for the lock of the log: in the setting `backtrail.lock_wait_us` of its
-- transaction, so that its signature stays and binaries of both versions can call it. Nothing else changes.

-- Appends a group of appends, each all or nothing, in the order given. To be called as a statement of its own: the lock
-- is held until its transaction has become visible, so whoever sees a position sees all before it.
--
-- Answers the position before the call, and for each append that was not done its number (from 1) and why:
-- `duplicate` (subject: aggregate id), `conflict`, `taken` (subject: kind, detail: name). The others follow
-- `base_position` without a gap, in order.
CREATE OR REPLACE FUNCTION append_events(
    -- One element an append.
    event_counts int[], owners uuid[], routes text[], keys text[], body_hashes bytea[], command_aggregate_ids text[],
    -- One element an event, append by append.
    aggregate_types text[], aggregate_ids text[], sequences bigint[], event_types text[], event_versions text[],
    payloads text[], metadatas text[], event_ids uuid[],
    -- One element a reservation; the first array says by number (from 1) which append it belongs to.
    reservation_appends int[], reservation_kinds text[], reservation_owners uuid[], reservation_names text[],
    reservation_aggregate_ids text[], reservation_takes boolean[],
    OUT base_position bigint, OUT lost_appends int[], OUT lost_reasons text[], OUT lost_positions bigint[],
    OUT lost_subjects text[], OUT lost_details text[], OUT lost_body_hashes bytea[]
)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
-- The plans do not depend on the parameters, and a table that was small when a plan was kept must not be scanned later.
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
    asked_at         timestamptz := clock_timestamp();
    last_recorded_at timestamptz;
    now_recorded_at  timestamptz;
    append_of        int[];
    conflicts        int[];
    won              int[] := '{}';
    next_position    bigint;
    earlier          record;
    taken_kind       text;
    taken_name       text;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'append_events needs the isolation level read committed';
    END IF;
    -- Without this a crash could take back positions that readers have seen.
    IF current_setting('synchronous_commit') = 'off' THEN
        RAISE EXCEPTION 'append_events needs synchronous_commit';
    END IF;
    -- Should it be called inside a longer transaction after all, a client that stops there loses the lock.
    PERFORM set_config('idle_in_transaction_session_timeout', '1s', true);

    -- "backtrai" in ASCII: the lock of the log, the same in place_foreign_event.
    PERFORM pg_advisory_xact_lock(7089056601624174953);
    PERFORM set_config('backtrail.lock_wait_us',
                       (extract(epoch FROM clock_timestamp() - asked_at) * 1000000)::bigint::text, true);
    SELECT e.position, e.recorded_at INTO base_position, last_recorded_at
    FROM events e ORDER BY e.position DESC LIMIT 1;
    base_position := coalesce(base_position, 0);
    now_recorded_at := greatest(clock_timestamp(), last_recorded_at);
    lost_appends := '{}'; lost_reasons := '{}'; lost_positions := '{}';
    lost_subjects := '{}'; lost_details := '{}'; lost_body_hashes := '{}';

    BEGIN
        INSERT INTO events (position, aggregate_type, aggregate_id, sequence, event_type, event_version,
                            payload, metadata, event_id, recorded_at)
        SELECT base_position + n, aggregate_type, aggregate_id, sequence, event_type, event_version,
               payload::json, metadata::json, event_id, now_recorded_at
        FROM unnest(aggregate_types, aggregate_ids, sequences, event_types, event_versions, payloads, metadatas, event_ids)
            WITH ORDINALITY AS u(aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, event_id, n);

        INSERT INTO command_ids (owner, route, key, body_hash, position, aggregate_id, recorded_at)
        SELECT owner, route, key, body_hash, base_position + sum(event_count) OVER (ORDER BY n), aggregate_id, now_recorded_at
        FROM unnest(event_counts, owners, routes, keys, body_hashes, command_aggregate_ids)
            WITH ORDINALITY AS u(event_count, owner, route, key, body_hash, aggregate_id, n);

        IF cardinality(reservation_appends) > 0 THEN
            DELETE FROM reservations r
            USING unnest(reservation_kinds, reservation_owners, reservation_names, reservation_takes) AS u(kind, owner, name, is_take)
            WHERE NOT u.is_take AND r.kind = u.kind AND r.owner = u.owner AND r.name = u.name;
            INSERT INTO reservations (kind, owner, name, aggregate_id)
            SELECT kind, owner, name, aggregate_id
            FROM unnest(reservation_kinds, reservation_owners, reservation_names, reservation_aggregate_ids, reservation_takes)
                AS u(kind, owner, name, aggregate_id, is_take)
            WHERE is_take;
        END IF;
        RETURN;
    EXCEPTION WHEN unique_violation THEN
        -- Someone in this group lost; below, the losers are found and the rest is appended.
    END;

    append_of := array(
        SELECT u.n::int FROM unnest(event_counts) WITH ORDINALITY AS u(event_count, n), generate_series(1, u.event_count)
        ORDER BY u.n);
    conflicts := array(
        SELECT DISTINCT s.append
        FROM (SELECT append, aggregate_type, aggregate_id, min(sequence) - 1 AS expected
              FROM unnest(append_of, aggregate_types, aggregate_ids, sequences) AS u(append, aggregate_type, aggregate_id, sequence)
              GROUP BY append, aggregate_type, aggregate_id) s
        WHERE s.expected <> coalesce((SELECT max(e.sequence) FROM events e
                                      WHERE e.aggregate_type = s.aggregate_type AND e.aggregate_id = s.aggregate_id), 0));
    next_position := base_position;

    FOR i IN 1 .. cardinality(event_counts) LOOP
        SELECT c.position, c.aggregate_id, c.body_hash, c.recorded_at INTO earlier
        FROM command_ids c WHERE c.owner = owners[i] AND c.route = routes[i] AND c.key = keys[i];
        IF FOUND AND earlier.recorded_at > now_recorded_at - interval '24 hours' THEN
            lost_appends := lost_appends || i; lost_reasons := lost_reasons || 'duplicate'::text;
            lost_positions := lost_positions || earlier.position; lost_subjects := lost_subjects || earlier.aggregate_id;
            lost_details := lost_details || ''::text; lost_body_hashes := lost_body_hashes || earlier.body_hash;
            CONTINUE;
        END IF;

        IF i = ANY (conflicts) THEN
            lost_appends := lost_appends || i; lost_reasons := lost_reasons || 'conflict'::text;
            lost_positions := lost_positions || 0::bigint; lost_subjects := lost_subjects || ''::text;
            lost_details := lost_details || ''::text; lost_body_hashes := lost_body_hashes || ''::bytea;
            CONTINUE;
        END IF;

        SELECT u.kind, u.name INTO taken_kind, taken_name
        FROM unnest(reservation_appends, reservation_kinds, reservation_owners, reservation_names, reservation_takes)
            AS u(append, kind, owner, name, is_take)
        WHERE u.append = i AND u.is_take
          AND EXISTS (SELECT FROM reservations r WHERE r.kind = u.kind AND r.owner = u.owner AND r.name = u.name)
          AND NOT EXISTS (
              SELECT FROM unnest(reservation_appends, reservation_kinds, reservation_owners, reservation_names, reservation_takes)
                  AS o(append, kind, owner, name, is_take)
              WHERE o.append = i AND NOT o.is_take AND o.kind = u.kind AND o.owner = u.owner AND o.name = u.name)
        LIMIT 1;
        IF FOUND THEN
            lost_appends := lost_appends || i; lost_reasons := lost_reasons || 'taken'::text;
            lost_positions := lost_positions || 0::bigint; lost_subjects := lost_subjects || taken_kind;
            lost_details := lost_details || taken_name; lost_body_hashes := lost_body_hashes || ''::bytea;
            CONTINUE;
        END IF;

        won := won || i;
        next_position := next_position + event_counts[i];
        INSERT INTO command_ids AS c (owner, route, key, body_hash, position, aggregate_id, recorded_at)
        VALUES (owners[i], routes[i], keys[i], body_hashes[i], next_position, command_aggregate_ids[i], now_recorded_at)
        ON CONFLICT (owner, route, key) DO UPDATE
        SET body_hash = excluded.body_hash, position = excluded.position, aggregate_id = excluded.aggregate_id,
            recorded_at = excluded.recorded_at;
        DELETE FROM reservations r
        USING unnest(reservation_appends, reservation_kinds, reservation_owners, reservation_names, reservation_takes)
            AS u(append, kind, owner, name, is_take)
        WHERE u.append = i AND NOT u.is_take AND r.kind = u.kind AND r.owner = u.owner AND r.name = u.name;
        INSERT INTO reservations (kind, owner, name, aggregate_id)
        SELECT kind, owner, name, aggregate_id
        FROM unnest(reservation_appends, reservation_kinds, reservation_owners, reservation_names, reservation_aggregate_ids,
                    reservation_takes)
            AS u(append, kind, owner, name, aggregate_id, is_take)
        WHERE append = i AND is_take
        ON CONFLICT DO NOTHING;
    END LOOP;

    INSERT INTO events (position, aggregate_type, aggregate_id, sequence, event_type, event_version,
                        payload, metadata, event_id, recorded_at)
    SELECT base_position + row_number() OVER (ORDER BY n), aggregate_type, aggregate_id, sequence, event_type, event_version,
           payload::json, metadata::json, event_id, now_recorded_at
    FROM unnest(append_of, aggregate_types, aggregate_ids, sequences, event_types, event_versions, payloads, metadatas, event_ids)
        WITH ORDINALITY AS u(append, aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, event_id, n)
    WHERE append = ANY (won);
END $$;
