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
    let response = client.get(&url).send().await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    // The client's connection is kept alive meanwhile.
    let (status, took) = served.terminate();
    assert!(status.success(), "{status}");
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!(backtrail.postmaster(), None);
    assert!(client.get(&url).send().await.is_err());
}

#[tokio::test]
async fn each_role_alone_starts_and_ends() {
    let backtrail = Backtrail::new(BACKTRAIL);
    let api = backtrail.serve_with(&["serve", "--roles", "api"]);
    let response = reqwest::get(format!("{}/livez", api.address())).await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    assert!(api.terminate().0.success());
    let complaint = backtrail.fail(&["serve", "--roles", "relay"]);
    assert!(complaint.contains("api, projector, executor"), "{complaint}");
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
