//! Each role in a separate process: its health, and the reaper's work.

use std::fs;

use reqwest::StatusCode;
use serde_json::json;
use tests::{ANYONE, restless};

use super::fleet::{Fleet, until};

/// Who leads the reapers.
const LEADER: &str =
    "SELECT holder FROM leaders WHERE role = 'reaper' AND until > clock_timestamp()";

#[tokio::test]
async fn each_role_alone_tells_its_health_and_nothing_else() {
    let fleet = Fleet::start().await;
    for role in ["projector", "executor", "reaper"] {
        let ship = fleet.serve(role);
        let health = ship.until_ready(role).await;
        assert_eq!(health["status"], "ready");
        for other in ["api", "projector", "executor", "relay", "reaper"] {
            let expected = if other == role { "ready" } else { "absent" };
            assert_eq!(health["roles"][other]["status"], expected, "{other}");
        }
        for (path, status) in [("/livez", 200), ("/healthz", 200), ("/api/v1/version", 404)] {
            assert_eq!(ship.remote.get(&ANYONE, path).await.status.as_u16(), status, "{path}");
        }
        assert!(ship.served.terminate().0.success(), "{role}");
    }
    let api = fleet.serve("api");
    api.until_ready("api").await;
    api.remote.get(&ANYONE, "/api/v1/version").await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_stopped_projection_is_named_and_the_other_roles_go_on() {
    let fleet = Fleet::start().await;
    let projector = fleet.serve("projector");
    let api = fleet.serve("api");
    api.until_ready("api").await;
    fleet
        .execute(
            "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
             VALUES ('ledger', 'nobody', 1, 'TradeOpened', '1.0', '{\"type\": \"TradeOpened\"}', '{}')",
        )
        .await;
    let is_stopped = |health: &serde_json::Value| {
        let detail = health["roles"]["projector"]["detail"].as_str().unwrap_or_default();
        detail.contains("has stopped after position 0")
    };
    let health = projector.until_health(is_stopped).await;
    assert_eq!(health["status"], "unready");
    api.until_ready("api").await;
}

#[tokio::test]
async fn the_run_of_a_killed_executor_is_freed_by_the_reaper_and_finished_by_another() {
    let fleet = Fleet::start().await.with("BACKTRAIL_EXECUTOR__LEASE_MS", "3000");
    fleet.import_minutes();
    let (_projector, api) = (fleet.serve("projector"), fleet.serve("api"));
    let reaper = fleet.serve("reaper");
    reaper.until_ready("reaper").await;
    api.until_ready("api").await;
    let user = api.remote.user().await;
    api.remote.post(&user, "/api/v1/strategies", restless()).await.expect(StatusCode::CREATED);
    let body = json!({"strategy_id": "restless", "symbol": "BTCUSDT", "timeframe": "1m"});
    let asked = api.remote.post(&user, "/api/v1/backtests", body).await;
    let id = asked.expect(StatusCode::ACCEPTED)["data"]["id"].as_str().unwrap().to_owned();

    let executor = fleet.serve("executor");
    let leased = "SELECT lease_owner FROM jobs WHERE lease_owner IS NOT NULL AND progress > 0";
    let lost = until(async || fleet.select::<String>(leased).await).await;
    executor.served.kill();
    let freed = "SELECT attempt FROM jobs WHERE lease_owner IS NULL AND lease_until IS NULL";
    assert!(until(async || fleet.select::<i32>(freed).await).await >= 1);
    // It tells a moment after the row is free.
    until(async || {
        let log = fs::read_to_string(fleet.backtrail.folder().join("log")).unwrap();
        let mut told = log.lines().filter(|line| line.contains("a lease ran out"));
        told.any(|line| line.contains(&lost) && line.contains(&id)).then_some(())
    })
    .await;

    let _executor = fleet.serve("executor");
    until(async || {
        let run = api.remote.get(&user, &format!("/api/v1/backtests/{id}")).await;
        (run.expect(StatusCode::OK)["data"]["status"] == "completed").then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_reaper_removes_what_is_left_over_and_nothing_that_is_in_use() {
    let fleet = Fleet::start().await;
    fleet
        .execute(
            "INSERT INTO users (id, email, name, password_hash) VALUES (gen_random_uuid(), 'a@b.c', 'A', '');
             INSERT INTO sessions (token_hash, user_id, expires_at)
             SELECT '\\x01'::bytea, id, now() - interval '1 minute' FROM users
             UNION ALL SELECT '\\x02'::bytea, id, now() + interval '1 day' FROM users;
             INSERT INTO command_ids SELECT gen_random_uuid(), 'POST /', name, '', 1, '', at FROM (VALUES
                 ('old', now() - interval '26 hours'), ('young', now() - interval '20 hours')) AS v(name, at);
             INSERT INTO candle_revisions (revision, symbol, timeframe) VALUES (1001, 'BTCUSDT', '1m'), (1002, 'ETHUSDT', '1m');
             INSERT INTO candle_series (symbol, timeframe) SELECT symbol, timeframe FROM candle_revisions;
             INSERT INTO candles SELECT n, revision, 1, 1, 1, 1, 1, candle_series.id, false
             FROM candle_revisions JOIN candle_series USING (symbol, timeframe), generate_series(1, 20003) AS n;
             INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
             SELECT 'sweep', '00000000-0000-0000-0000-00000000000' || id, n, type, '1.0', payload::json, '{}' FROM (VALUES
                 (1, 1, 'SweepRequested', '{}'),
                 (2, 1, 'SweepRequested', '{}'), (2, 2, 'SweepCompleted', '{\"result_hash\": \"named\"}'),
                 (3, 1, 'SweepRequested', '{}'), (3, 2, 'SweepCompleted', '{\"result_hash\": \"gone\"}'),
                 (3, 3, 'SweepDeleted', '{}'), (4, 1, 'SweepRequested', '{}'), (4, 2, 'SweepCancelled', '{}')
             ) AS v(id, n, type, payload);
             INSERT INTO read_models.sweep_results (sweep_id, result_hash, number, id, rank, parameters)
             SELECT ('00000000-0000-0000-0000-00000000000' || sweep)::uuid, hash, n, gen_random_uuid(), n, '{}'
             FROM (VALUES (1, 'early'), (2, 'named'), (2, 'other'), (3, 'gone'), (4, 'late')) AS v(sweep, hash),
                 generate_series(1, 3) AS n",
        )
        .await;
    // As a living importer holds it.
    let importer = fleet.database.superuser().await;
    let lock = "SELECT pg_advisory_lock(hashtextextended('candles ETHUSDT 1m', 0))";
    importer.batch_execute(lock).await.unwrap();
    let _reaper = fleet.serve("reaper");
    let left = "SELECT (SELECT string_agg(token_hash::text, ',') FROM sessions) || ' '
                    || (SELECT string_agg(key, ',') FROM command_ids) || ' '
                    || (SELECT string_agg(revision::text, ',') FROM candle_revisions) || ' '
                    || (SELECT string_agg(DISTINCT revision::text, ',') FROM candles) || ' '
                    || (SELECT string_agg(DISTINCT result_hash, ',') FROM read_models.sweep_results)";
    until(async || {
        let left = fleet.select::<String>(left).await;
        (left.as_deref() == Some("\\x02 young 1002 1002 early,named")).then_some(())
    })
    .await;
    let rows = "SELECT count(*) FROM candles";
    assert_eq!(fleet.select::<i64>(rows).await, Some(20_003), "the importer's are all there");
}

#[tokio::test]
async fn another_reaper_leads_when_one_is_killed_or_stopped() {
    let fleet = Fleet::start().await;
    let one = fleet.serve("reaper");
    until(async || fleet.select::<String>(LEADER).await).await;
    let other = fleet.serve("reaper");
    let is_of = |holder: &str, pid: u32| holder.split('/').nth(1) == Some(pid.to_string().as_str());
    let leads = async |pid: u32| {
        until(async || {
            fleet.select::<String>(LEADER).await.filter(|holder| is_of(holder, pid)).map(|_| ())
        })
        .await;
    };
    leads(one.served.pid()).await;
    one.served.pause();
    leads(other.served.pid()).await;
    one.served.resume();
    one.until_health(|health| {
        let detail = health["roles"]["reaper"]["detail"].as_str().unwrap_or_default();
        detail.starts_with("stands by for ") && detail.contains(&other.served.pid().to_string())
    })
    .await;
    let pid = one.served.pid();
    other.served.kill();
    leads(pid).await;
}

#[tokio::test]
async fn another_leads_two_seconds_after_the_last_word_of_a_stopped_leader_at_the_latest() {
    let fleet = Fleet::start().await;
    fleet
        .execute(
            "CREATE TABLE words (holder text, at timestamptz DEFAULT clock_timestamp());
             GRANT SELECT, INSERT ON words TO PUBLIC;
             CREATE FUNCTION note_word() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN INSERT INTO public.words (holder) VALUES (NEW.holder); RETURN NEW; END $$;
             CREATE TRIGGER note_word AFTER INSERT OR UPDATE ON leaders
             FOR EACH ROW EXECUTE FUNCTION note_word()",
        )
        .await;
    let mut leader = fleet.serve("reaper");
    until(async || fleet.select::<String>(LEADER).await).await;
    let mut other = fleet.serve("reaper");
    other.until_ready("reaper").await;
    let shortest = "SELECT extract(epoch FROM min(pause))::float8
                    FROM (SELECT holder <> lag(holder) OVER w AS is_other, at - lag(at) OVER w AS pause
                          FROM words WINDOW w AS (ORDER BY at)) AS changes
                    WHERE is_other";
    let mut pauses = Vec::new();
    // A busy machine may be late once, and once more, but not always.
    for _ in 0..5 {
        leader.served.pause();
        let pid = other.served.pid().to_string();
        until(async || {
            let holder = fleet.select::<String>(LEADER).await?;
            (holder.split('/').nth(1) == Some(&pid)).then_some(())
        })
        .await;
        leader.served.resume();
        pauses.push(fleet.select::<f64>(shortest).await.unwrap());
        if pauses.last().is_some_and(|seconds| *seconds < 2.0) {
            return;
        }
        leader.until_ready("reaper").await;
        std::mem::swap(&mut leader, &mut other);
    }
    panic!("seconds without a leader: {pauses:?}");
}

#[tokio::test]
async fn a_reaper_that_wakes_after_another_took_over_removes_nothing() {
    let fleet = Fleet::start().await;
    let reaper = fleet.serve("reaper");
    until(async || fleet.select::<String>(LEADER).await).await;
    reaper.served.pause();
    // Another takes over, and finds leases that ran out.
    fleet
        .execute(
            "UPDATE leaders SET holder = 'another', term = term + 1, until = now() + interval '1 hour';
             INSERT INTO jobs (kind, id, pool, owner_id, position, ready_at, attempt, term, lease_owner, lease_until)
             SELECT kind, gen_random_uuid(), 'any', gen_random_uuid(), 1, now(), 1, 1, 'gone', now() - interval '1 minute'
             FROM unnest(ARRAY['backtest', 'sweep', 'verify']) AS kind",
        )
        .await;
    reaper.served.resume();
    reaper
        .until_health(|health| health["roles"]["reaper"]["detail"] == "stands by for another")
        .await;
    let left = "SELECT count(*) FROM jobs WHERE lease_owner = 'gone'";
    assert_eq!(fleet.select::<i64>(left).await, Some(3));
    fleet.execute("UPDATE leaders SET until = now()").await;
    until(async || (fleet.select::<i64>(left).await == Some(0)).then_some(())).await;
}
