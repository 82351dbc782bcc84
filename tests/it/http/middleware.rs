//! What holds for every path: ids, errors, bodies, caching, documentation, health.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use server::roles::Roles;
use tests::{ANYONE, Reply, TestApp};

#[tokio::test]
async fn the_request_id_is_echoed_or_made() {
    let app = TestApp::start().await;
    let headers = [("x-request-id", "my-request-1")];
    let reply = app.send(&ANYONE, Method::GET, "/api/v1/nothing", None, &headers).await;
    assert_eq!(reply.header("x-request-id"), "my-request-1");
    assert_eq!(reply.expect(StatusCode::NOT_FOUND)["error"]["request_id"], "my-request-1");
    let reply = app.get(&ANYONE, "/api/v1/time").await;
    assert_eq!(reply.header("x-request-id").len(), 26, "a ULID");
}

#[tokio::test]
async fn what_is_not_there_is_404_and_what_is_not_taken_405_with_allow() {
    let app = TestApp::start().await;
    let body = app.get(&ANYONE, "/api/v1/nothing").await.expect(StatusCode::NOT_FOUND);
    assert_eq!(body["error"]["code"], "not_found");
    assert_eq!(body["data"], Value::Null);
    assert_eq!(body["meta"], json!({}));
    let reply = app.get(&ANYONE, "/api/v1/assets/%00/price-series").await;
    reply.expect(StatusCode::NOT_FOUND);
    let reply = app.send(&ANYONE, Method::PUT, "/api/v1/sessions", None, &[]).await;
    assert_eq!(reply.header("allow"), "DELETE, POST, OPTIONS");
    assert_eq!(reply.expect(StatusCode::METHOD_NOT_ALLOWED)["error"]["code"], "method_not_allowed");
    let reply = app.send(&ANYONE, Method::DELETE, "/api/v1/graphql", None, &[]).await;
    assert_eq!(reply.header("allow"), "GET, HEAD, POST, OPTIONS");
    reply.expect(StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn bodies_are_json_of_bounded_size() {
    let app = TestApp::start().await;
    let post = |content_type: &'static str, body: String| {
        let request = app.request(&ANYONE, Method::POST, "/api/v1/sessions");
        Reply::of(request.header("content-type", content_type).body(body))
    };
    let reply = post("application/x-www-form-urlencoded", "email=a".to_owned()).await;
    reply.expect(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    post("application/json", "{\"email\": ".to_owned()).await.expect(StatusCode::BAD_REQUEST);
    post("application/json", "[]".to_owned()).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    let large = format!("{{\"email\": \"{}\"}}", "x".repeat(2 * 1024 * 1024));
    let body = post("application/json; charset=utf-8", large).await;
    assert_eq!(body.expect(StatusCode::PAYLOAD_TOO_LARGE)["error"]["code"], "too_large");
}

#[tokio::test]
async fn what_is_known_is_not_sent_again() {
    let app = TestApp::start().await;
    let reply = app.get(&ANYONE, "/api/v1/indicators").await;
    assert_eq!(reply.header("cache-control"), "public, max-age=3600");
    let tag = reply.header("etag").to_owned();
    let headers = [("if-none-match", tag.as_str())];
    let reply = app.send(&ANYONE, Method::GET, "/api/v1/indicators", None, &headers).await;
    assert_eq!((reply.status, reply.text.as_str()), (StatusCode::NOT_MODIFIED, ""));
}

#[tokio::test]
async fn long_answers_are_compressed_for_those_who_accept_it() {
    let app = TestApp::start().await;
    let path = "/api/v1/openapi.json";
    let plain = app.get(&ANYONE, path).await;
    assert_eq!(plain.header("content-encoding"), "");
    let tag = plain.header("etag").to_owned();
    for coding in ["gzip", "zstd"] {
        let request = app.request(&ANYONE, Method::GET, path).header("accept-encoding", coding);
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["content-encoding"], coding);
        assert_eq!(response.headers()["etag"].to_str().unwrap(), tag, "a weak one stays");
        let length = response.bytes().await.unwrap().len();
        assert!(length < plain.text.len() / 5, "{coding}: {length} of {}", plain.text.len());
    }
    let headers = [("accept-encoding", "gzip"), ("if-none-match", tag.as_str())];
    let reply = app.send(&ANYONE, Method::GET, path, None, &headers).await;
    assert_eq!((reply.status, reply.text.as_str()), (StatusCode::NOT_MODIFIED, ""));
    let short = [("accept-encoding", "gzip")];
    let reply = app.send(&ANYONE, Method::GET, "/api/v1/time", None, &short).await;
    assert_eq!(reply.header("content-encoding"), "");
}

#[tokio::test]
async fn a_slash_at_the_end_makes_no_difference_and_a_trace_comes_back() {
    let app = TestApp::start().await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let headers = [("traceparent", trace)];
    for path in ["/api/v1/time/", "/api/time/", "/livez/"] {
        let reply = app.send(&ANYONE, Method::GET, path, None, &headers).await;
        assert_eq!(reply.header("traceparent"), trace, "{path}");
        reply.expect(StatusCode::OK);
    }
}

#[tokio::test]
async fn fields_are_chosen_and_unknown_ones_refused() {
    let app = TestApp::start().await;
    let reply = app.get(&ANYONE, "/api/v1/time?fields=epoch_ms").await;
    let body = reply.expect(StatusCode::OK);
    assert_eq!(
        body["data"].as_object().map(|data| data.keys().cloned().collect()),
        Some(vec!["epoch_ms".to_owned()])
    );
    let reply = app.get(&ANYONE, "/api/v1/time?fields=epoch_s").await;
    assert_eq!(reply.field_errors(), [("fields".to_owned(), "invalid".to_owned())]);
}

#[tokio::test]
async fn a_position_beyond_the_log_is_refused_after_sign_in() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let get = async |user, position: &str| {
        app.get(user, &format!("/api/v1/users/me?min_position={position}")).await
    };
    get(&user, "0").await.expect(StatusCode::OK);
    // A position beyond the end of the log is refused without waiting.
    let begun = Instant::now();
    let beyond = [("min_position".to_owned(), "out_of_range".to_owned())];
    assert_eq!(get(&user, "1000000").await.field_errors(), beyond);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert_eq!(get(&user, "soon").await.field_errors()[0].0, "min_position");
    // Route, method and sign-in come first.
    get(&ANYONE, "1000000").await.expect(StatusCode::UNAUTHORIZED);
    let path = "/api/v1/nothing?min_position=1000000";
    app.get(&user, path).await.expect(StatusCode::NOT_FOUND);
    let path = "/api/v1/users/me?min_position=1000000";
    let reply = app.send(&user, Method::DELETE, path, None, &[]).await;
    reply.expect(StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn no_shared_cache_shows_one_users_answer_to_another() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let private = "Authorization, Cookie, Accept, Accept-Encoding, Origin";
    for path in ["/api/v1/users/me", "/api/v1/events", "/api/v1/nothing", "/api/backtests"] {
        assert_eq!(app.get(&user, path).await.header("vary"), private, "{path}");
    }
    let public = "Accept, Accept-Encoding, Origin";
    assert_eq!(app.get(&ANYONE, "/api/v1/indicators").await.header("vary"), public);
}

#[tokio::test]
async fn the_service_is_alive_ready_and_documented() {
    let app = TestApp::start().await;
    app.get(&ANYONE, "/livez").await.expect(StatusCode::OK);
    app.until_ready().await;
    let document = app.get(&ANYONE, "/api/v1/openapi.json").await.expect(StatusCode::OK);
    assert_eq!(document["paths"]["/backtests"]["post"]["operationId"], "createBacktest");
    let page = app.get(&ANYONE, "/api/docs").await;
    assert!(page.text.contains("SwaggerUIBundle") && page.text.contains("createBacktest"));
    assert!(!page.text.contains("src=\"http"), "the page loads something from elsewhere");
}

#[tokio::test]
async fn the_examples_of_the_document_are_taken() {
    let app = TestApp::with_candles().await;
    let user = app.user().await;
    let document = app.get(&ANYONE, "/api/v1/openapi.json").await.expect(StatusCode::OK);
    let schemas = &document["components"]["schemas"];
    for (path, schema, status) in [
        ("/api/v1/users", "NewUser", StatusCode::CREATED),
        ("/api/v1/strategies", "StrategyBody", StatusCode::CREATED),
        ("/api/v1/backtests", "BacktestBody", StatusCode::CREATED),
    ] {
        let example = schemas[schema]["example"].clone();
        assert!(example.is_object(), "{schema}");
        let wait = [("prefer", "wait=30")];
        app.send(&user, Method::POST, path, Some(example), &wait).await.expect(status);
    }
}

#[tokio::test]
async fn pages_of_the_configured_origins_alone_may_call() {
    const ORIGIN: &str = "https://app.example.com";
    let more = [("BACKTRAIL_HTTP__CORS_ORIGINS", ORIGIN.to_owned())];
    let app = TestApp::launch(&Roles::all(), &more).await;
    let from = async |method: Method, origin: &str, headers: &[(&str, &str)]| {
        let headers = [&[("origin", origin)], headers].concat();
        app.send(&ANYONE, method, "/api/v1/users/me", None, &headers).await
    };
    let allowed = |reply: &Reply| reply.header("access-control-allow-origin").to_owned();
    let asked = [("access-control-request-method", "PATCH")];
    let preflight = from(Method::OPTIONS, ORIGIN, &asked).await;
    assert_eq!((preflight.status, allowed(&preflight).as_str()), (StatusCode::NO_CONTENT, ORIGIN));
    assert_eq!(preflight.header("access-control-allow-methods"), "GET, HEAD, OPTIONS");
    assert!(preflight.header("access-control-allow-headers").contains("Idempotency-Key"));
    assert_eq!(preflight.header("access-control-allow-credentials"), "");
    // Refusals can be read, too.
    let refused = from(Method::GET, ORIGIN, &[]).await;
    assert_eq!((refused.status, allowed(&refused).as_str()), (StatusCode::UNAUTHORIZED, ORIGIN));
    assert!(refused.header("access-control-expose-headers").contains("X-Request-Id"));
    assert!(refused.header("vary").contains("Origin"));
    for other in ["https://example.com", "null"] {
        assert_eq!(allowed(&from(Method::GET, other, &[]).await), "");
        assert_eq!(allowed(&from(Method::OPTIONS, other, &asked).await), "");
    }
    let closed = TestApp::start().await;
    let reply = closed.send(&ANYONE, Method::GET, "/livez", None, &[("origin", ORIGIN)]).await;
    assert_eq!(allowed(&reply), "");
}
