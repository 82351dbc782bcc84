//! `/sessions`.

use std::time::Duration;

use infra::{clock::ManualClock, postgres::accounts::SESSION_DAYS};
use reqwest::{Method, StatusCode};
use serde_json::json;
use tests::{ANYONE, TestApp, TestUser};

const PATH: &str = "/api/v1/sessions";

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_look_the_same() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let mut messages = Vec::new();
    for email in [user.email.as_str(), "nobody@example.com"] {
        let body = json!({"email": email, "password": "not the password"});
        let reply = app.post(&ANYONE, PATH, body).await.expect(StatusCode::UNAUTHORIZED);
        messages.push(reply["error"]["message"].clone());
    }
    assert_eq!(messages[0], messages[1]);
}

#[tokio::test]
async fn a_closed_session_opens_nothing() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let reply = app.send(&user, Method::DELETE, PATH, None, &[]).await;
    reply.expect(StatusCode::NO_CONTENT);
    app.get(&user, "/api/v1/users/me").await.expect(StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_made_up_token_is_refused_with_the_scheme() {
    let app = TestApp::start().await;
    let user = TestUser { token: Some("made-up".to_owned()), ..ANYONE };
    let reply = app.get(&user, "/api/v1/users/me").await;
    assert_eq!(reply.header("www-authenticate"), "Bearer");
    assert_eq!(reply.expect(StatusCode::UNAUTHORIZED)["error"]["code"], "unauthorized");
}

#[tokio::test]
async fn a_session_expires_when_the_clock_reaches_its_end() {
    // Ahead of the database's clock, by which the reaper removes sessions.
    let start = "2050-03-27T00:30:00Z".parse().unwrap();
    let manual = ManualClock::new(start);
    let app = TestApp::start_at(manual.clock()).await;
    let user = app.user().await;
    let lifetime = Duration::from_secs(SESSION_DAYS.cast_unsigned() * 24 * 60 * 60);
    manual.advance(lifetime - Duration::from_millis(1));
    let me = app.get(&user, "/api/v1/users/me").await.expect(StatusCode::OK);
    assert_eq!(me["data"]["created_at"], "2050-03-27T00:30:00Z");
    manual.advance(Duration::from_millis(1));
    app.get(&user, "/api/v1/users/me").await.expect(StatusCode::UNAUTHORIZED);
    let time = app.get(&ANYONE, "/api/v1/time").await.expect(StatusCode::OK);
    assert_eq!(time["data"]["time"], "2050-04-26T00:30:00Z");
}
