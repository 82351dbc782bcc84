//! `/users`.

use reqwest::{Method, StatusCode};
use serde_json::json;
use sha2::{Digest as _, Sha256};
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

#[tokio::test]
async fn signing_up_twice_with_one_key_creates_one_user() {
    let app = TestApp::start().await;
    let key = [("idempotency-key", "once")];
    let sign_up = async |password: &str, name: &str| {
        let body = json!({"email": "ada@example.com", "password": password, "name": name});
        app.send(&ANYONE, Method::POST, PATH, Some(body), &key).await
    };
    let (password, other) = ("correct horse battery", "wrong horse battery");
    let both = tokio::join!(sign_up(password, "Ada"), sign_up(password, "Ada"));
    let third = sign_up(password, "Ada").await;
    assert_eq!(third.header("idempotency-replayed"), "true");
    let third = third.expect(StatusCode::CREATED);
    assert_eq!(both.0.expect(StatusCode::CREATED), third);
    assert_eq!(both.1.expect(StatusCode::CREATED), third);
    for refused in [sign_up(password, "Eve").await, sign_up(other, "Ada").await] {
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(refused.body["error"]["code"], "idempotency_mismatch");
    }
    // Nothing from which a password is quickly guessed is kept.
    let client = app.database().superuser().await;
    let sql = "SELECT body_hash FROM request_keys";
    let hash: Vec<u8> = client.query_one(sql, &[]).await.unwrap().get(0);
    let body = br#"{"email":"ada@example.com","name":"Ada"}"#;
    assert_eq!(hash, Sha256::digest(body).to_vec());
}
