//! `backtrail serve`: listening, stopping, and who else can look on meanwhile.

use std::{io::Write, process::Stdio, time::Duration};

use serde_json::{Value, json};
use tests::Backtrail;

use crate::BACKTRAIL;

#[tokio::test]
async fn it_answers_on_the_port_that_it_names_and_ends_on_sigterm() {
    let backtrail = Backtrail::new(BACKTRAIL);
    let served = backtrail.serve();
    let client = reqwest::Client::new();
    let url = format!("{}/readyz", served.address());
    super::fleet::until(async || {
        let response = client.get(&url).send().await.unwrap();
        (response.status().as_u16() == 200).then_some(())
    })
    .await;
    // The client's connection is kept alive meanwhile.
    let (status, took) = served.terminate();
    assert!(status.success(), "{status}");
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!(backtrail.postmaster(), None);
    assert!(client.get(&url).send().await.is_err());
}

#[test]
fn an_unknown_role_is_refused_with_those_that_there_are() {
    let backtrail = Backtrail::new(BACKTRAIL);
    let complaint = backtrail.fail(&["serve", "--roles", "workers"]);
    assert!(complaint.contains("api, projector, relay, executor, reaper"), "{complaint}");
}

#[tokio::test]
async fn a_user_who_was_added_can_sign_in() {
    let backtrail = Backtrail::new(BACKTRAIL);
    let add = ["user", "add", "--email", "ada@example.org", "--name", "Ada", "--password-stdin"];
    let mut child = backtrail.command(&add).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"correct horse battery\n").unwrap();
    assert!(child.wait().unwrap().success());
    let served = backtrail.serve();
    let body = json!({ "email": "ada@example.org", "password": "correct horse battery" });
    let url = format!("{}/api/v1/sessions", served.address());
    let response = reqwest::Client::new().post(url).json(&body).send().await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    let session: Value = response.json().await.unwrap();
    assert_eq!(session["data"]["user"]["name"], "Ada");
}

#[test]
fn a_follower_sees_events_as_they_come() {
    let backtrail = Backtrail::new(BACKTRAIL);
    let demo = backtrail.serve_with(&["demo"]);
    let mut follower = backtrail.start(&["events", "--follow", "--aggregate", "backtest"]);
    let line = follower.line_with("BacktestCompleted");
    let event: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(event["aggregate_type"], "backtest");
    assert_eq!(event["payload"]["type"], "BacktestCompleted");
    let (status, took) = follower.terminate();
    assert!(status.success() && took < Duration::from_secs(10));
    assert!(demo.terminate().0.success());
    let aggregate = format!("backtest/{}", event["aggregate_id"].as_str().unwrap());
    let printed = backtrail.succeed(&["events", "--aggregate", &aggregate, "--format", "json"]);
    let events = printed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let sequences: Vec<i64> = events.map(|event| event["sequence"].as_i64().unwrap()).collect();
    assert_eq!(sequences, (1..=sequences.len() as i64).collect::<Vec<_>>());
    assert!(sequences.len() >= 4, "{printed}");
}

#[tokio::test]
async fn a_simulation_from_files_has_the_hash_and_metrics_of_the_services_run() {
    let backtrail = Backtrail::new(BACKTRAIL);
    let candles = tests::testdata("candles/BTCUSDT_1d.csv");
    let _ = backtrail.succeed(&["import-candles", &candles]);
    let parameters = json!({ "short_window": 20, "long_window": 100 });
    let folder = backtrail.folder();
    std::fs::write(folder.join("strategy.json"), r#"{"code_ref": "golden_cross"}"#).unwrap();
    let settings = json!({ "parameters": parameters }).to_string();
    std::fs::write(folder.join("settings.json"), settings).unwrap();
    let files = ["--candles", &candles, "--strategy", "strategy.json"];
    let more = ["--settings", "settings.json", "--format", "json"];
    let printed = backtrail.succeed(&[["simulate"].as_slice(), &files, &more].concat());
    let simulated: Value = serde_json::from_str(&printed).unwrap();

    let served = backtrail.serve();
    let client = reqwest::Client::new();
    let api = format!("{}/api/v1", served.address());
    let post = async |path: &str, token: &str, body: Value| -> Value {
        let request = client.post(format!("{api}{path}")).bearer_auth(token);
        let answer = request.header("Prefer", "wait=20").json(&body).send().await.unwrap();
        answer.json::<Value>().await.unwrap()["data"].take()
    };
    let user = json!({ "email": "a@example.org", "password": "correct horse", "name": "A" });
    let _ = post("/users", "", user.clone()).await;
    let user = json!({ "email": user["email"], "password": user["password"] });
    let session = post("/sessions", "", user).await;
    let token = session["token"].as_str().unwrap();
    let body =
        json!({ "strategy_id": "golden-cross", "symbol": "BTCUSDT", "parameters": parameters });
    let run = post("/backtests", token, body).await;
    assert_eq!(run["status"], "completed", "{run}");
    assert_eq!(run["result_hash"], simulated["result_hash"]);
    assert_eq!(run["final_balance"], simulated["final_balance"]);
    let url = format!("{api}/backtests/{}/metrics", run["id"].as_str().unwrap());
    let metrics = client.get(url).bearer_auth(token).send().await.unwrap();
    let mut metrics = metrics.json::<Value>().await.unwrap()["data"].take();
    // Beside the metrics in what is printed.
    for balance in ["final_balance_stop_first", "final_balance_target_first"] {
        let served = metrics.as_object_mut().unwrap().remove(balance);
        assert_eq!(served.as_ref(), Some(&simulated[balance]));
    }
    assert_eq!(metrics, simulated["metrics"]);
}

#[test]
fn read_models_are_listed_shown_and_rebuilt() {
    let backtrail = Backtrail::new(BACKTRAIL);
    let _ = backtrail.succeed(&["demo", "--once"]);
    let listed = backtrail.succeed(&["projections", "list"]);
    for name in
        ["strategies", "strategy_versions", "backtests", "ledger", "trades", "sweeps", "streams"]
    {
        assert!(listed.lines().any(|line| line.starts_with(name)), "{listed}");
    }
    let rebuilt = backtrail.succeed(&["projections", "rebuild", "trades"]);
    assert!(rebuilt.starts_with("rebuilt trades from"), "{rebuilt}");
    let status = backtrail.succeed(&["projections", "status"]);
    let trades = status.lines().find(|line| line.starts_with("trades")).unwrap();
    assert!(trades.contains("live"), "{status}");
    assert!(backtrail.succeed(&["projections", "prune"]).starts_with("dropped"));
    let complaint = backtrail.fail(&["projections", "rebuild", "nothing"]);
    assert!(complaint.contains("there are strategies"), "{complaint}");
}
