//! Backup and restore, drilled: a service is dumped at work and goes on in another cluster.

use std::process::Command;

use reqwest::StatusCode;
use serde_json::{Value, json};
use tests::{Backtrail, Remote, TestCluster, TestUser};

use super::fleet::{Fleet, until};
use crate::BACKTRAIL;

const BACKTESTS: &str = "/api/v1/backtests";

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

async fn request(remote: &Remote, user: &TestUser) -> String {
    let body = json!({"strategy_id": "golden-cross", "symbol": "BTCUSDT"});
    let asked = remote.post(user, BACKTESTS, body).await.expect(StatusCode::ACCEPTED);
    asked["data"]["id"].as_str().unwrap().to_owned()
}

async fn completed(remote: &Remote, user: &TestUser, id: &str) -> Value {
    until(async || {
        let reply = remote.get(user, &format!("{BACKTESTS}/{id}")).await.expect(StatusCode::OK);
        (reply["data"]["status"] == "completed").then(|| reply["data"].clone())
    })
    .await
}

/// What a client reads of a finished run.
async fn results(remote: &Remote, user: &TestUser, id: &str) -> Vec<Value> {
    let mut results = Vec::new();
    for what in ["", "/metrics", "/trades", "/ledger", "/equity"] {
        let reply = remote.get(user, &format!("{BACKTESTS}/{id}{what}")).await;
        results.push(reply.expect(StatusCode::OK)["data"].clone());
    }
    results
}

#[tokio::test]
async fn a_service_that_was_dumped_at_work_goes_on_where_it_is_restored() {
    let fleet = Fleet::start().await;
    fleet.import_days();
    let (_projector, api) = (fleet.serve("projector"), fleet.serve("api"));
    let executor = fleet.serve("executor");
    api.until_ready("api").await;
    let user = api.remote.user().await;
    let finished = request(&api.remote, &user).await;
    let hash = completed(&api.remote, &user, &finished).await["result_hash"].clone();
    let before = results(&api.remote, &user, &finished).await;
    assert!(executor.served.terminate().0.success());
    let waiting = request(&api.remote, &user).await;

    let folder = tempfile::tempdir().unwrap();
    let dump = folder.path().join("backtrail.dump");
    let shared = TestCluster::shared().await;
    let name = &fleet.database.name;
    run(shared.program("pg_dump").args(["--format=custom", "--file"]).arg(&dump).arg(name));
    let head = fleet.select::<i64>("SELECT max(position) FROM events").await.unwrap();

    // A new cluster has the roles from its first migration; its transaction ids start anew.
    let other = TestCluster::private().await;
    run(other.program("createdb").arg("restored"));
    run(other.program("pg_restore").args(["--exit-on-error", "--dbname=restored"]).arg(&dump));
    let backtrail =
        Backtrail::new(BACKTRAIL).with("BACKTRAIL_DATABASE__URL", &other.url("restored"));
    let served = backtrail.serve();
    let remote = Remote::new(served.address());
    remote.until_ready().await;

    assert_eq!(results(&remote, &user, &finished).await, before, "the session is still good, too");
    assert_eq!(completed(&remote, &user, &waiting).await["result_hash"], hash);
    let body = json!({"strategy_id": "golden-cross", "symbol": "BTCUSDT"});
    let reply = remote.post(&user, BACKTESTS, body).await;
    let position: i64 = reply.header("x-backtrail-position").parse().unwrap();
    assert!(position > head, "{position} after {head}");
    let asked = reply.expect(StatusCode::ACCEPTED);
    let new = asked["data"]["id"].as_str().unwrap();
    assert_eq!(completed(&remote, &user, new).await["result_hash"], hash);

    let (client, connection) =
        tokio_postgres::connect(&other.url("restored"), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let dense = "SELECT count(*) = max(position) AND min(position) = 1 FROM events";
    assert!(client.query_one(dense, &[]).await.unwrap().get::<_, bool>(0), "no gap");
    for read_model in ["backtests", "trades", "ledger"] {
        let _ = backtrail.succeed(&["projections", "rebuild", read_model]);
    }
    assert_eq!(results(&remote, &user, &finished).await, before, "rebuilt from the log");
    drop(client);
    assert!(served.terminate().0.success());
}
