//! Queries that would overflow a stack or take exponential time are refused, and the process goes on answering.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tests::{ANYONE, Reply, TestApp, TestUser};

use super::PATH;

/// Long for a refusal, short for an exponential validation: 30 levels of fragments take minutes.
const PATIENCE: Duration = Duration::from_secs(20);

/// Queries with the code of their refusal.
fn killers() -> Vec<(String, &'static str)> {
    let depth = 2_000;
    let (open, close) = ("[".repeat(depth), "]".repeat(depth));
    let (objects, ends) = ("{x:".repeat(depth), "}".repeat(depth));
    let deep = [
        format!("{{a(x:{open}{close})}}"),
        format!("{{a(x:{objects}1{ends})}}"),
        format!("{}a{ends}", "{a".repeat(depth)),
        format!("{}a{ends}", "{...on A".repeat(depth)),
        format!("query($x:{open}Int{close}){{a}}"),
        format!("query($x:Int={open}{close}){{a}}"),
        // Hidden behind what looks like a string or a comment that has not ended.
        format!("{{a(x:[\"\\\\\" {open}{close}])}}"),
        format!("{{a#\"\n(x:{open}{close})}}"),
    ];
    let doubling = |spread: &str| {
        let of = |level: usize| {
            let spread = spread.replace("NEXT", &format!("F{}", level + 1));
            format!("fragment F{level} on Query{{{spread} {spread}}}")
        };
        (0..30).map(of).collect::<String>() + "fragment F30 on Query{me{id}}"
    };
    let plain = doubling("...NEXT");
    let costly = [
        (format!("{{...F0}}{plain}"), "too_complex"),
        (format!("{{me{{id}}}}{plain}"), "too_complex"),
        (format!("{{...F0}}{}", doubling("...NEXT@include(if:true)")), "too_complex"),
        (format!("{{...F0}}{}", doubling("...on Query{...NEXT}")), "too_deep"),
        ("{...A}fragment A on Query{...A ...A}".to_owned(), "fragment_cycle"),
        (format!("{{me{{id}}}}{}", " ".repeat(40_000)), "too_long"),
        (format!("{{a(x:\"\"\" \" {open}{close})}}"), "malformed"),
    ];
    deep.into_iter().map(|query| (query, "too_deep")).chain(costly).collect()
}

async fn by_get(app: &TestApp, user: &TestUser, query: &str) -> Reply {
    let path = format!("{PATH}?query={}", encoded(query));
    Reply::of(app.request(user, Method::GET, &path)).await
}

/// For a query string: letters and digits as they are, spaces as `+`.
fn encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b' ' => "+".to_owned(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

/// Asks for the liveness of the process while `work` is done.
async fn answering_meanwhile<T>(app: &TestApp, work: impl Future<Output = T>) -> T {
    let look = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        loop {
            ticks.tick().await;
            let alive = tokio::time::timeout(PATIENCE, app.get(&ANYONE, "/livez")).await;
            alive.expect("/livez answers promptly").expect(StatusCode::OK);
        }
    };
    tokio::select! {
        () = look => unreachable!("it looks until the work is done"),
        done = tokio::time::timeout(PATIENCE, work) => done.expect("a prompt refusal"),
    }
}

#[tokio::test]
async fn queries_that_are_too_deep_or_grow_exponentially_are_refused_at_once() {
    let app = TestApp::start().await;
    let user = app.user().await;
    for (query, code) in killers() {
        let body = json!({"query": query});
        let posted = answering_meanwhile(&app, app.post(&user, PATH, body.clone())).await;
        let batch = json!([{"query": "{me{id}}"}, body]);
        let batch = answering_meanwhile(&app, app.post(&user, PATH, batch)).await;
        let got = answering_meanwhile(&app, by_get(&app, &user, &query)).await;
        let batch = batch.expect(StatusCode::OK);
        assert_eq!(batch[0]["data"]["me"]["id"], user.id);
        for answer in [&posted.expect(StatusCode::OK), &batch[1], &got.expect(StatusCode::OK)] {
            let start: String = query.chars().take(60).collect();
            assert_eq!(answer["errors"][0]["extensions"]["code"], code, "{start}: {answer}");
            assert_eq!(answer["data"], Value::Null);
        }
    }
}

#[tokio::test]
async fn json_around_a_query_that_is_too_deep_is_refused() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let bodies = [
        deep.clone(),
        format!(r#"{{"query": "{{me{{id}}}}", "variables": {{"x": {deep}}}}}"#),
        format!(r#"{{"query": "{{me{{id}}}}", "extensions": {{"x": {deep}}}}}"#),
        format!(r#"{{"query": "{{me{{id}}}}", "unknown": {deep}}}"#),
    ];
    for body in bodies {
        let request = app.request(&user, Method::POST, PATH);
        let request = request.header("content-type", "application/json").body(body);
        let refused = answering_meanwhile(&app, Reply::of(request)).await;
        refused.expect(StatusCode::BAD_REQUEST);
    }
    let deep = format!(r#"{{"x": {}{}}}"#, "[".repeat(5_000), "]".repeat(5_000));
    for name in ["variables", "extensions"] {
        let path = format!("{PATH}?query={}&{name}={}", encoded("{me{id}}"), encoded(&deep));
        let request = app.request(&user, Method::GET, &path);
        let refused = answering_meanwhile(&app, Reply::of(request)).await;
        refused.expect(StatusCode::BAD_REQUEST);
    }
    for other in ["application/graphql", "multipart/form-data; boundary=x"] {
        let request = app.request(&user, Method::POST, PATH);
        let request = request.header("content-type", other).body("{me{id}}");
        Reply::of(request).await.expect(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
}
