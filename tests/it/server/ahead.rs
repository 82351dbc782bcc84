//! A process that is too old for an event says so and is not ready.

use domain::event::Metadata;
use infra::postgres::event_store::{Append, NewEvent, Priority, StreamAppend};
use reqwest::{Method, StatusCode};
use serde_json::json;
use tests::{ANYONE, TestApp};

use super::fleet::until;

#[tokio::test]
async fn a_process_that_meets_an_event_of_a_newer_one_is_unready_with_the_reason() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let body = json!({"name": "Mine", "code_ref": "buy_and_hold"});
    let made = app.post(&user, "/api/v1/strategies", body).await.expect(StatusCode::CREATED);
    let id = made["data"]["id"].as_str().unwrap().to_owned();
    app.get(&ANYONE, "/readyz").await.expect(StatusCode::OK);

    let archived = NewEvent {
        event_type: "StrategyArchived".to_owned(),
        event_version: "1.0".to_owned(),
        payload: r#"{"type": "StrategyArchived"}"#.to_owned(),
    };
    let append = Append {
        streams: vec![StreamAppend {
            aggregate_type: "strategy",
            aggregate_id: id.clone(),
            expected_sequence: 1,
            events: vec![archived],
        }],
        metadata: Metadata::default(),
        command: None,
        reservations: Vec::new(),
        priority: Priority::Interactive,
    };
    app.context().store.append(append).await.unwrap();

    // A command would decide on a state that this process does not know.
    let path = format!("/api/v1/strategies/{id}");
    let change = app.send(&user, Method::PATCH, &path, Some(json!({"name": "Yours"})), &[]).await;
    assert_eq!(change.status, StatusCode::SERVICE_UNAVAILABLE, "{}", change.text);
    for role in ["api", "projector"] {
        until(async || {
            let reply = app.get(&ANYONE, "/readyz").await;
            assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{}", reply.text);
            let detail = reply.body["roles"][role]["detail"].as_str().unwrap().to_owned();
            detail
                .contains("rests: `StrategyArchived` 1.0 of `strategy` at position 2")
                .then_some(())
        })
        .await;
    }
    // Its history is shown as it is.
    let events = app.get(&user, "/api/v1/events").await.expect(StatusCode::OK);
    assert_eq!(events["data"][1]["type"], "StrategyArchived");
}
