//! The alias `/api/…`: the same paths in the bare shape.

use reqwest::StatusCode;
use serde_json::{Value, json};
use tests::{ANYONE, TestApp};

#[tokio::test]
async fn one_is_a_bare_object_a_list_has_data_and_meta_an_error_is_alone() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let me = app.get(&user, "/api/users/me").await.expect(StatusCode::OK);
    assert_eq!(me["email"], user.email);
    let list = app.get(&user, "/api/strategies").await.expect(StatusCode::OK);
    let keys: Vec<_> = list.as_object().map(|list| list.keys().cloned().collect()).unwrap();
    assert_eq!(keys, ["data", "meta"]);
    let error = app.get(&ANYONE, "/api/users/me").await.expect(StatusCode::UNAUTHORIZED);
    let keys: Vec<_> = error.as_object().map(|error| error.keys().cloned().collect()).unwrap();
    assert_eq!(keys, ["error"]);
    assert_eq!(error["error"]["details"], json!([]));
}

#[tokio::test]
async fn strategies_are_one_s_own_here_and_with_built_ins_under_v1() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let own = app.get(&user, "/api/strategies").await.expect(StatusCode::OK);
    assert_eq!(own["meta"]["total"], 0);
    let all = app.get(&user, "/api/v1/strategies").await.expect(StatusCode::OK);
    assert_eq!(all["meta"]["total"], 13);
    assert_eq!(all["data"][0]["owner_id"], Value::Null);
}
