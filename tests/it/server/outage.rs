//! PostgreSQL stops and comes back: clients are told to try again, and nothing has to be restarted.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tests::{ANYONE, Reply, TestCluster};

use super::fleet::{Fleet, restless, until};

/// What a client may be told meanwhile.
fn is_told_to_try_again(reply: &Reply) -> bool {
    let is_unavailable = reply.status == StatusCode::SERVICE_UNAVAILABLE;
    assert!(is_unavailable || reply.status.is_success(), "{} {}", reply.status, reply.text);
    assert!(!is_unavailable || reply.header("retry-after") == "1", "{:?}", reply.headers);
    is_unavailable
}

#[tokio::test]
async fn the_service_waits_for_its_database_and_goes_on() {
    let cluster = TestCluster::private().await;
    let fleet = Fleet::over(&cluster).await;
    fleet.import_days();
    let ships = ["api", "projector", "executor", "reaper"].map(|role| fleet.serve(role));
    let [api, ..] = &ships;
    for (ship, role) in ships.iter().zip(["api", "projector", "executor", "reaper"]) {
        ship.until_ready(role).await;
    }
    let user = api.remote.user().await;
    let made = api.remote.post(&user, "/api/v1/strategies", restless()).await;
    let made = made.expect(StatusCode::CREATED)["data"].clone();
    let path = format!("/api/v1/strategies/{}", made["id"].as_str().unwrap());

    cluster.stop();
    for path in [path.as_str(), "/api/v1/backtests", "/api/v1/assets", "/api/v1/strategies"] {
        until(async || is_told_to_try_again(&api.remote.get(&user, path).await).then_some(()))
            .await;
    }
    let change = json!({"description": "while it is away"});
    let changed = api.remote.send(&user, Method::PATCH, &path, Some(change), &[]).await;
    assert!(is_told_to_try_again(&changed));
    for (ship, role) in ships.iter().zip(["api", "projector", "executor", "reaper"]) {
        let is_unready = |health: &Value| health["roles"][role]["status"] == "unready";
        ship.until_health(is_unready).await;
        ship.remote.get(&ANYONE, "/livez").await.expect(StatusCode::OK);
        let scrape = ship.remote.get(&ANYONE, "/metrics").await;
        assert!(scrape.text.contains("\nbacktrail_database_up 0\n"), "{}", scrape.text);
    }

    cluster.start_again();
    for (ship, role) in ships.iter().zip(["api", "projector", "executor", "reaper"]) {
        ship.until_ready(role).await;
    }
    let read = api.remote.get(&user, &path).await.expect(StatusCode::OK);
    assert_eq!(read["data"], made, "nothing was lost, and what was refused was not done");
    let body = json!({"strategy_id": "golden-cross", "symbol": "BTCUSDT"});
    let asked = api.remote.post(&user, "/api/v1/backtests", body).await;
    let id = asked.expect(StatusCode::ACCEPTED)["data"]["id"].as_str().unwrap().to_owned();
    until(async || {
        let run = api.remote.get(&user, &format!("/api/v1/backtests/{id}")).await;
        (run.expect(StatusCode::OK)["data"]["status"] == "completed").then_some(())
    })
    .await;
}
