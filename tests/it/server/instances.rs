//! Two API processes on one database: whatever is done at one is seen at the other.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tests::{Reply, TestUser, restless};
use tokio::join;

use super::fleet::{Fleet, Ship, until};

const STRATEGIES: &str = "/api/v1/strategies";
const BACKTESTS: &str = "/api/v1/backtests";
/// How often what could go wrong is tried.
const TIMES: usize = 40;

/// Two that answer HTTP, and one each of what works behind them.
struct Pair {
    /// Ended before the database goes.
    api: [Ship; 2],
    executor: Ship,
    _projector: Ship,
    fleet: Fleet,
}

impl Pair {
    async fn start(fleet: Fleet) -> Self {
        let projector = fleet.serve("projector");
        let executor = fleet.serve("executor");
        let api = [fleet.serve("api"), fleet.serve("api")];
        for one in &api {
            one.until_ready("api").await;
        }
        Self { api, executor, _projector: projector, fleet }
    }

    async fn get_both(&self, user: &TestUser, path: &str) -> [Value; 2] {
        let [one, other] = &self.api;
        let (one, other) = join!(one.remote.get(user, path), other.remote.get(user, path));
        [one, other].map(|reply| reply.expect(StatusCode::OK)["data"].clone())
    }
}

fn id(reply: &Value) -> String {
    reply["data"]["id"].as_str().expect("an id").to_owned()
}

fn golden_cross() -> Value {
    json!({"strategy_id": "golden-cross", "symbol": "BTCUSDT", "start_time": "2020-01-01",
           "parameters": {"short_window": 20, "long_window": 50}})
}

#[tokio::test]
async fn a_get_at_the_other_instance_never_misses_what_was_posted() {
    let fleet = Fleet::start().await;
    fleet.import_days();
    let pair = Pair::start(fleet).await;
    let user = pair.api[0].remote.user().await;
    for number in 0..TIMES {
        let (here, there) = (&pair.api[number % 2].remote, &pair.api[(number + 1) % 2].remote);
        let made = here.post(&user, STRATEGIES, restless()).await.expect(StatusCode::CREATED);
        let path = format!("{STRATEGIES}/{}", id(&made));
        assert_eq!(there.get(&user, &path).await.expect(StatusCode::OK)["data"], made["data"]);
        let change = json!({"description": format!("change {number}")});
        there
            .send(&user, Method::PATCH, &path, Some(change.clone()), &[])
            .await
            .expect(StatusCode::OK);
        let read = here.get(&user, &path).await.expect(StatusCode::OK);
        assert_eq!(read["data"]["description"], change["description"]);

        let asked = here.post(&user, BACKTESTS, golden_cross()).await.expect(StatusCode::ACCEPTED);
        let path = format!("{BACKTESTS}/{}", id(&asked));
        there.get(&user, &path).await.expect(StatusCode::OK);
        // Whoever sees it completed sees all of it.
        let completed = until(async || {
            let run = there.get(&user, &path).await.expect(StatusCode::OK);
            (run["data"]["status"] == "completed").then(|| run["data"].clone())
        });
        let count = completed.await["performance_summary"]["total_trades"].clone();
        let trades = here.get(&user, &format!("{path}/trades")).await.expect(StatusCode::OK);
        assert_eq!(trades["meta"]["total"], count, "{trades}");
    }
}

#[tokio::test]
async fn the_same_key_at_both_at_once_makes_one_and_answers_the_same() {
    let pair = Pair::start(Fleet::start().await).await;
    let [one, other] = &pair.api;
    let user = one.remote.user().await;
    for number in 0..TIMES {
        let key = format!("key-{number}");
        let headers = [("idempotency-key", key.as_str())];
        let body = || Some(restless());
        let (first, second) = join!(
            one.remote.send(&user, Method::POST, STRATEGIES, body(), &headers),
            other.remote.send(&user, Method::POST, STRATEGIES, body(), &headers),
        );
        let is_replay = |reply: &Reply| reply.header("idempotency-replayed") == "true";
        assert!(is_replay(&first) != is_replay(&second), "{} and {}", first.text, second.text);
        let (first, second) =
            (first.expect(StatusCode::CREATED), second.expect(StatusCode::CREATED));
        assert_eq!(first["data"], second["data"]);
    }
    let count = "SELECT count(*) FROM events WHERE event_type = 'StrategyCreated'";
    assert_eq!(pair.fleet.select::<i64>(count).await, Some(TIMES as i64));
}

#[tokio::test]
async fn a_run_is_watched_at_both_and_cancelled_through_the_other() {
    let fleet = Fleet::start().await;
    fleet.import_minutes();
    let pair = Pair::start(fleet).await;
    let [one, other] = &pair.api;
    let user = one.remote.user().await;
    one.remote.post(&user, STRATEGIES, restless()).await.expect(StatusCode::CREATED);
    let body = json!({"strategy_id": "restless", "symbol": "BTCUSDT", "timeframe": "1m"});
    let asked = one.remote.post(&user, BACKTESTS, body).await.expect(StatusCode::ACCEPTED);
    let path = format!("{BACKTESTS}/{}", id(&asked));

    let progress = "SELECT progress::int FROM jobs WHERE progress > 0";
    until(async || pair.fleet.select::<i32>(progress).await).await;
    // In the middle of its work, to be looked at in peace.
    pair.executor.served.pause();
    let percent = pair.fleet.select::<i32>(progress).await.expect("it is still running");
    assert!((1..100).contains(&percent), "{percent}");
    for seen in pair.get_both(&user, &path).await {
        assert_eq!((&seen["status"], &seen["progress"]), (&json!("running"), &json!(percent)));
    }

    let cancel = format!("{path}/cancel");
    let cancelled = other.remote.send(&user, Method::POST, &cancel, None, &[]).await;
    let cancelled = cancelled.expect(StatusCode::OK);
    assert_eq!(cancelled["data"]["status"], "running", "its executor is stopped");
    for seen in pair.get_both(&user, &path).await {
        assert!(seen["cancellation_requested_at"].is_string(), "{seen}");
    }
    pair.executor.served.resume();
    until(async || {
        let seen = pair.get_both(&user, &path).await;
        seen.iter().all(|run| run["status"] == "cancelled").then_some(())
    })
    .await;
}
