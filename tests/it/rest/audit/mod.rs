//! `/events`: one's own.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tests::{ANYONE, TestApp};

fn hold(name: &str) -> Value {
    json!({"name": name, "code_ref": "buy_and_hold"})
}

#[tokio::test]
async fn one_sees_what_happened_to_one_s_own_and_by_which_request() {
    let app = TestApp::start().await;
    let (user, stranger) = (app.user().await, app.user().await);
    let headers = [("x-request-id", "the-request")];
    let path = "/api/v1/strategies";
    let made = app.send(&user, Method::POST, path, Some(hold("Mine")), &headers).await;
    let id = made.expect(StatusCode::CREATED)["data"]["id"].as_str().unwrap().to_owned();
    app.post(&stranger, path, hold("Theirs")).await.expect(StatusCode::CREATED);
    let events = app.get(&user, "/api/v1/events").await.expect(StatusCode::OK);
    assert_eq!(events["data"].as_array().map(Vec::len), Some(1), "{events}");
    let event = &events["data"][0];
    assert_eq!((&event["type"], &event["aggregate_id"]), (&json!("StrategyCreated"), &json!(id)));
    assert_eq!(event["metadata"]["actor"], format!("user:{}", user.id));
    assert_eq!(event["metadata"]["request_id"], "the-request");
    assert_eq!(event["payload"]["content"]["name"], "Mine");
    assert_eq!(event["id"].as_str().map(str::len), Some(26));
    assert_eq!(events["meta"]["total"], Value::Null);
    app.get(&ANYONE, "/api/v1/events").await.expect(StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn events_are_paged_by_cursor_in_both_directions() {
    let app = TestApp::start().await;
    let user = app.user().await;
    for number in 0..5 {
        let body = hold(&format!("S{number}"));
        app.post(&user, "/api/v1/strategies", body).await.expect(StatusCode::CREATED);
    }
    for direction in ["forward", "backward"] {
        let path = format!("/api/v1/events?limit=2&direction={direction}");
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let more = cursor.map(|cursor: String| format!("&cursor={cursor}")).unwrap_or_default();
            let page = app.get(&user, &format!("{path}{more}")).await.expect(StatusCode::OK);
            let rows = page["data"].as_array().cloned().unwrap();
            seen.extend(rows.iter().map(|event| event["payload"]["content"]["name"].clone()));
            cursor = page["meta"]["next_cursor"].as_str().map(str::to_owned);
            if cursor.is_none() {
                break;
            }
        }
        let mut expected = ["S0", "S1", "S2", "S3", "S4"];
        if direction == "backward" {
            expected.reverse();
        }
        assert_eq!(seen, expected);
    }
}

#[tokio::test]
async fn filters_of_events_are_checked_and_ids_come_in_any_case() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let made = app.post(&user, "/api/v1/strategies", hold("Mine")).await;
    let id = made.expect(StatusCode::CREATED)["data"]["id"].as_str().unwrap().to_owned();
    let event = app.get(&user, "/api/v1/events").await.expect(StatusCode::OK)["data"][0].clone();
    let correlation = event["metadata"]["correlation_id"].as_str().unwrap();
    for query in [
        format!("aggregate_id={}", id.to_uppercase()),
        format!("correlation_id={}", correlation.to_lowercase()),
        format!("actor=user:{}", user.id.to_uppercase()),
        "aggregate_type=strategy&event_type=StrategyCreated".to_owned(),
        "from=2020-01-01&to=2100-01-01".to_owned(),
    ] {
        let list = app.get(&user, &format!("/api/v1/events?{query}")).await;
        assert_eq!(list.expect(StatusCode::OK)["data"], json!([event]), "{query}");
    }
    for (query, field, hint) in [
        ("aggregate_type=strategies", "aggregate_type", "one of strategy, backtest"),
        ("aggregate_id=mine", "aggregate_id", "a UUID"),
        ("correlation_id=mine", "correlation_id", "a ULID"),
        ("event_type=StrategyCreate", "event_type", "Did you mean `StrategyCreated`?"),
        ("actor=me", "actor", "`user:<id>`"),
        ("actor=user:me", "actor", "`user:<id>`"),
        ("from=2024-01-02&to=2024-01-01", "to", "before `from`"),
        ("after=-1", "after", "0 to"),
    ] {
        let reply = app.get(&user, &format!("/api/v1/events?{query}")).await;
        assert_eq!(reply.field_errors()[0].0, field, "{query}");
        let message = reply.body["error"]["message"].as_str().unwrap();
        assert!(message.contains(hint), "{message}");
    }
}
