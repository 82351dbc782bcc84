//! PostgreSQL is away or has no room: clients are told to try again, and nothing has to be restarted.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tests::{ANYONE, Remote, Reply, TestApp, TestCluster, TestUser, restless};

use super::fleet::{Fleet, until};

/// What a client may be told meanwhile.
fn is_told_to_try_again(reply: &Reply) -> bool {
    let is_unavailable = reply.status == StatusCode::SERVICE_UNAVAILABLE;
    assert!(is_unavailable || reply.status.is_success(), "{} {}", reply.status, reply.text);
    assert!(!is_unavailable || reply.header("retry-after") == "1", "{:?}", reply.headers);
    is_unavailable
}

/// Reads all the time until it is over; returns how often it was told to try again.
async fn read_on(address: String, user: TestUser, path: String, is_over: Arc<AtomicBool>) -> u32 {
    let remote = Remote::new(&address);
    let mut refused = 0;
    while !is_over.load(Ordering::Relaxed) {
        refused += u32::from(is_told_to_try_again(&remote.get(&user, &path).await));
    }
    refused
}

#[tokio::test(flavor = "multi_thread")]
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

    let is_over = Arc::new(AtomicBool::new(false));
    let address = api.served.address().to_owned();
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (address, user) = (address.clone(), user.clone());
            tokio::spawn(read_on(address, user, path.clone(), Arc::clone(&is_over)))
        })
        .collect();

    tokio::task::block_in_place(|| cluster.stop());
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

    tokio::task::block_in_place(|| cluster.start_again());
    for (ship, role) in ships.iter().zip(["api", "projector", "executor", "reaper"]) {
        ship.until_ready(role).await;
    }
    is_over.store(true, Ordering::Relaxed);
    for reader in readers {
        assert!(reader.await.unwrap() > 0);
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

#[tokio::test]
async fn a_full_disk_refuses_commands_for_now_and_reads_go_on() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let made = app.post(&user, "/api/v1/strategies", restless()).await;
    let path = made.header("location").to_owned();
    // What PostgreSQL says when a file cannot grow.
    let full = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \
                $$ BEGIN RAISE 'could not extend file' USING ERRCODE = 'disk_full'; END $$; \
                CREATE TRIGGER full_disk BEFORE INSERT ON events FOR EACH STATEMENT EXECUTE FUNCTION refuse()";
    app.database().superuser().await.batch_execute(full).await.unwrap();
    let refused = app.post(&user, "/api/v1/strategies", restless()).await;
    assert!(is_told_to_try_again(&refused), "{}", refused.text);
    app.get(&user, &path).await.expect(StatusCode::OK);
    let room = "DROP TRIGGER full_disk ON events";
    app.database().superuser().await.batch_execute(room).await.unwrap();
    app.post(&user, "/api/v1/strategies", restless()).await.expect(StatusCode::CREATED);
}
