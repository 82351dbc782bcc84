//! The HTTP API: the folders mirror `api/src/rest/`.

mod accounts;
mod audit;
mod backtests;
mod examples;
mod market_data;
mod strategies;
mod sweeps;

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tests::{Remote, TestApp, TestUser};

/// A golden cross over all candles: it trades and ends soon.
pub(crate) fn golden_cross() -> Value {
    json!({
        "strategy_id": "golden-cross",
        "symbol": "BTCUSDT",
        "start_time": "2020-01-01",
        "end_date": "2022-12-31",
        "initial_balance": "10000",
        "parameters": {"short_window": 20, "long_window": 50},
    })
}

/// Asks for the run and waits for its end.
pub(crate) async fn completed(app: &TestApp, user: &TestUser, body: Value) -> Value {
    let wait = [("prefer", "wait=30")];
    let path = "/api/v1/backtests";
    let reply = app.send(user, Method::POST, path, Some(body), &wait).await;
    let run = reply.expect(StatusCode::CREATED)["data"].clone();
    assert_eq!(run["status"], "completed", "{run}");
    run
}

/// Looks until the run has that status.
pub(crate) async fn has_status(app: &Remote, user: &TestUser, id: &str, status: &str) -> Value {
    let mut looks = tokio::time::interval(Duration::from_millis(20));
    let look = async {
        loop {
            looks.tick().await;
            let reply = app.get(user, &format!("/api/v1/backtests/{id}")).await;
            let run = reply.expect(StatusCode::OK)["data"].clone();
            if run["status"] == status {
                return run;
            }
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(60), look).await;
    waited.unwrap_or_else(|_| panic!("{id} never is {status}"))
}
