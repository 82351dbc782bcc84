//! `/users`.

use reqwest::StatusCode;
use serde_json::json;
use tests::{ANYONE, TestApp};

const PATH: &str = "/api/v1/users";

#[tokio::test]
async fn signing_up_gives_a_user_without_the_password() {
    let app = TestApp::start().await;
    let body = json!({"email": "Ada@Example.com", "password": "a long password", "name": "Ada"});
    let reply = app.post(&ANYONE, PATH, body).await;
    assert!(!reply.text.contains("a long password"));
    let body = reply.expect(StatusCode::CREATED);
    assert_eq!(body["data"]["email"], "ada@example.com");
    assert_eq!(body["data"]["name"], "Ada");
    assert_eq!(body["errors"], json!([]));
}

#[tokio::test]
async fn a_taken_address_is_a_conflict() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let body = json!({"email": user.email, "password": "another password", "name": "Eve"});
    let body = app.post(&ANYONE, PATH, body).await.expect(StatusCode::CONFLICT);
    assert_eq!(body["error"]["code"], "email_taken");
}

#[tokio::test]
async fn every_wrong_field_is_named_at_once() {
    let app = TestApp::start().await;
    let reply =
        app.post(&ANYONE, PATH, json!({"email": "x", "password": "hunter2", "nmae": 1})).await;
    let fields: Vec<_> = reply.field_errors().into_iter().map(|(field, _)| field).collect();
    assert_eq!(fields, ["nmae", "email", "password"]);
    assert!(!reply.text.contains("hunter2"), "a password is shown: {}", reply.text);
}

#[tokio::test]
async fn oneself_is_for_oneself() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let body = app.get(&user, "/api/v1/users/me").await.expect(StatusCode::OK);
    assert_eq!(body["data"]["id"], user.id);
    app.get(&ANYONE, "/api/v1/users/me").await.expect(StatusCode::UNAUTHORIZED);
}
