//! `/strategies`.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tests::{ANYONE, TestApp, TestUser};

const PATH: &str = "/api/v1/strategies";

/// Slugs of the built-ins, in the order of the catalogue.
const BUILTINS: [&str; 13] = [
    "golden-cross",
    "ema-cross",
    "rsi-mean-reversion",
    "connors-rsi-2",
    "macd-cross",
    "bollinger-breakout",
    "bollinger-reversion",
    "donchian-breakout",
    "supertrend",
    "adx-trend",
    "momentum",
    "stochastic-reversal",
    "buy-and-hold",
];

fn dip(name: &str) -> Value {
    json!({
        "name": name,
        "entry_rules": {"operator": "and", "conditions": [
            {"indicator": "rsi", "params": {"period": 14}, "comparator": "<", "value": "$oversold"}]},
        "exit_rules": {"operator": "and", "conditions": [
            {"indicator": "rsi(14)", "comparator": "gt", "value": 70}]},
        "default_parameters": {"oversold": 30},
    })
}

async fn created(app: &TestApp, user: &TestUser, body: Value) -> Value {
    app.post(user, PATH, body).await.expect(StatusCode::CREATED)["data"].clone()
}

#[tokio::test]
async fn a_strategy_is_there_at_once_under_id_and_slug() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let reply = app.post(&user, PATH, dip("Buy the Dip")).await;
    assert!(reply.header("x-backtrail-position").parse::<i64>().unwrap() > 0);
    let location = reply.header("location").to_owned();
    let etag = reply.header("etag").to_owned();
    let made = reply.expect(StatusCode::CREATED)["data"].clone();
    assert_eq!(made["slug"], "buy-the-dip");
    assert_eq!((&made["kind"], &made["version"]), (&json!("rules"), &json!(1)));
    assert_eq!(made["owner_id"], user.id);
    for path in [location, format!("{PATH}/buy-the-dip")] {
        let reply = app.get(&user, &path).await;
        assert_eq!(reply.header("etag"), etag);
        assert_eq!(reply.expect(StatusCode::OK)["data"], made);
    }
    assert_eq!(created(&app, &user, dip("Buy the dip!")).await["slug"], "buy-the-dip-2");
}

#[tokio::test]
async fn a_strategy_is_replaced_patched_and_deleted() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let id = created(&app, &user, dip("One")).await["id"].as_str().unwrap().to_owned();
    let path = format!("{PATH}/{id}");
    let patch = json!({"default_parameters": {"oversold": 25}, "is_public": true});
    let reply = app.send(&user, Method::PATCH, &path, Some(patch), &[]).await;
    let patched = reply.expect(StatusCode::OK)["data"].clone();
    assert_eq!(patched["default_parameters"]["oversold"], 25);
    assert_eq!((&patched["is_public"], &patched["version"]), (&json!(true), &json!(2)));
    let mut whole = patched.clone();
    whole["name"] = json!("Two");
    let stale = [("if-match", "\"1\"")];
    let reply = app.send(&user, Method::PUT, &path, Some(whole.clone()), &stale).await;
    reply.expect(StatusCode::PRECONDITION_FAILED);
    let replaced = app.send(&user, Method::PUT, &path, Some(whole), &[]).await;
    let replaced = replaced.expect(StatusCode::OK)["data"].clone();
    assert_eq!((&replaced["name"], &replaced["slug"]), (&json!("Two"), &json!("one")));
    let versions = app.get(&user, &format!("{path}/versions")).await.expect(StatusCode::OK);
    let numbers: Vec<_> =
        versions["data"].as_array().unwrap().iter().map(|v| v["version"].clone()).collect();
    assert_eq!(numbers, [3, 2, 1]);
    let reply = app.send(&user, Method::DELETE, &path, None, &[]).await;
    reply.expect(StatusCode::NO_CONTENT);
    app.get(&user, &path).await.expect(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn publishing_a_strategy_does_not_show_its_private_past() {
    let app = TestApp::start().await;
    let (owner, stranger) = (app.user().await, app.user().await);
    let id = created(&app, &owner, dip("First")).await["id"].as_str().unwrap().to_owned();
    let path = format!("{PATH}/{id}");
    for patch in [
        json!({"description": "private"}),
        json!({"description": "public", "is_public": true}),
        json!({"description": "still public"}),
        // Never public: it came with the end of publication.
        json!({"description": "private again", "is_public": false}),
        json!({"description": "more private"}),
        json!({"is_public": true}),
    ] {
        let reply = app.send(&owner, Method::PATCH, &path, Some(patch), &[]).await;
        reply.expect(StatusCode::OK);
    }
    let versions = async |user| {
        let list = app.get(user, &format!("{path}/versions")).await.expect(StatusCode::OK);
        let numbers = list["data"].as_array().unwrap().iter().map(|one| one["version"].clone());
        (numbers.collect::<Vec<_>>(), list["meta"]["total"].clone())
    };
    assert_eq!(
        versions(&owner).await,
        (vec![json!(6), json!(5), json!(4), json!(3), json!(2), json!(1)], json!(6))
    );
    assert_eq!(versions(&stranger).await, (vec![json!(6), json!(4), json!(3)], json!(3)));
}

#[tokio::test]
async fn a_stranger_sees_and_changes_only_what_is_public_or_theirs() {
    let app = TestApp::start().await;
    let (owner, stranger) = (app.user().await, app.user().await);
    let id = created(&app, &owner, dip("Mine")).await["id"].as_str().unwrap().to_owned();
    let path = format!("{PATH}/{id}");
    app.get(&stranger, &path).await.expect(StatusCode::FORBIDDEN);
    app.get(&stranger, &format!("{path}/versions")).await.expect(StatusCode::FORBIDDEN);
    app.get(&stranger, &format!("{PATH}/mine")).await.expect(StatusCode::NOT_FOUND);
    for (method, body) in [
        (Method::PUT, Some(dip("Theirs"))),
        (Method::PATCH, Some(json!({}))),
        (Method::DELETE, None),
    ] {
        let reply = app.send(&stranger, method, &path, body, &[]).await;
        reply.expect(StatusCode::FORBIDDEN);
    }
    for path in [PATH.to_owned(), path.clone(), format!("{path}/versions")] {
        app.get(&ANYONE, &path).await.expect(StatusCode::UNAUTHORIZED);
    }
    app.post(&ANYONE, PATH, dip("x")).await.expect(StatusCode::UNAUTHORIZED);
    app.post(&ANYONE, &format!("{PATH}/validate"), dip("x")).await.expect(StatusCode::UNAUTHORIZED);
    let public = Some(json!({"is_public": true}));
    app.send(&owner, Method::PATCH, &path, public, &[]).await.expect(StatusCode::OK);
    app.get(&stranger, &path).await.expect(StatusCode::OK);
    let list = app.get(&stranger, &format!("{PATH}?scope=public")).await.expect(StatusCode::OK);
    assert_eq!(list["data"][0]["id"], id.as_str());
}

#[tokio::test]
async fn a_strategy_that_no_read_model_has_yet_is_found_by_its_slug() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let headers = [("prefer", "respond-async")];
    for number in 0..20 {
        let body = Some(dip(&format!("Dip {number}")));
        let reply = app.send(&user, Method::POST, PATH, body, &headers).await;
        let made = reply.expect(StatusCode::CREATED)["data"].clone();
        let slug = made["slug"].as_str().unwrap();
        let found = app.get(&user, &format!("{PATH}/{slug}")).await.expect(StatusCode::OK);
        assert_eq!(found["data"]["id"], made["id"]);
    }
}

#[tokio::test]
async fn built_ins_are_found_by_slug_and_id_and_belong_to_nobody() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let catalog = app.get(&ANYONE, &format!("{PATH}/catalog")).await.expect(StatusCode::OK);
    let names: Vec<_> =
        catalog["data"].as_array().unwrap().iter().map(|entry| entry["code_ref"].clone()).collect();
    let expected: Vec<_> = BUILTINS.iter().map(|slug| slug.replace('-', "_")).collect();
    assert_eq!(names, expected);
    let by_slug = app.get(&user, &format!("{PATH}/golden-cross")).await;
    assert_eq!(
        by_slug.header("cache-control"),
        "private, no-cache",
        "a slug of one's own may follow"
    );
    let by_slug = by_slug.expect(StatusCode::OK);
    let path = format!("{PATH}/{}", by_slug["data"]["id"].as_str().unwrap());
    assert_eq!(app.get(&user, &path).await.expect(StatusCode::OK), by_slug);
    let reply = app.send(&user, Method::DELETE, &path, None, &[]).await;
    reply.expect(StatusCode::FORBIDDEN);
    let body = json!({"name": "Mine", "code_ref": "core.strategies.GoldenCross"});
    let made = created(&app, &user, body).await;
    assert_eq!((&made["kind"], &made["code_ref"]), (&json!("code"), &json!("golden_cross")));
}

#[tokio::test]
async fn a_body_says_all_that_is_wrong_by_path() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let body = json!({
        "entry_rules": {"operator": "and", "conditions": [
            {"indicator": "smaa", "params": {"period": 5}, "comparator": ">", "value": 1},
            {"indicator": "sma", "params": {"period": 0}, "comparator": ">", "value": 1}]},
    });
    let errors = app.post(&user, PATH, body.clone()).await.field_errors();
    let fields: Vec<&str> = errors.iter().map(|(field, _)| field.as_str()).collect();
    assert!(fields.contains(&"name"), "{errors:?}");
    assert!(fields.contains(&"entry_rules.conditions[0].indicator"), "{errors:?}");
    assert!(
        fields.iter().any(|field| field.starts_with("entry_rules.conditions[1]")),
        "{errors:?}"
    );
    let found = app.post(&user, &format!("{PATH}/validate"), body).await.expect(StatusCode::OK);
    assert_eq!(found["data"]["valid"], false);
    assert_eq!(found["data"]["errors"].as_array().map(Vec::len), Some(2));
    let found = app.post(&user, &format!("{PATH}/validate"), dip("x")).await.expect(StatusCode::OK);
    assert_eq!(found["data"]["valid"], true);
    let mut body = dip("x");
    body["entry_ruels"] = json!({});
    let found = app.post(&user, &format!("{PATH}/validate"), body).await.expect(StatusCode::OK);
    assert_eq!(found["data"]["errors"][0]["field"], "entry_ruels", "{found}");
    assert_eq!(found["data"]["valid"], false);
}

#[tokio::test]
async fn a_megabyte_of_nested_groups_is_422() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let open = r#"{"operator":"and","conditions":["#.repeat(30_000);
    let close = "]}".repeat(30_000);
    let body = format!("{{\"name\": \"deep\", \"entry_rules\": {open}{close}}}");
    assert!(body.len() > 1_000_000);
    let request = app.request(&user, Method::POST, PATH).header("content-type", "application/json");
    let errors = tests::Reply::of(request.body(body)).await.field_errors();
    assert_eq!(errors[0].1, "too_deep");
    let wide = r#"{"operator":"and","conditions":[]},"#.repeat(29_000);
    let body = format!(
        "{{\"name\": \"wide\", \"entry_rules\": {{\"operator\": \"and\", \"conditions\": [{}]}}}}",
        wide.trim_end_matches(',')
    );
    let request = app.request(&user, Method::POST, PATH).header("content-type", "application/json");
    assert!(!tests::Reply::of(request.body(body)).await.field_errors().is_empty());
}

#[tokio::test]
async fn a_repeated_key_creates_once_and_another_body_is_refused() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let key = [("idempotency-key", "one-strategy")];
    let send = async |body: Value| app.send(&user, Method::POST, PATH, Some(body), &key).await;
    let first = send(dip("Once")).await;
    assert_eq!(first.header("idempotency-replayed"), "");
    let first = first.expect(StatusCode::CREATED);
    let again = send(dip("Once")).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.expect(StatusCode::CREATED)["data"]["id"], first["data"]["id"]);
    let other = send(dip("Other")).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(other["error"]["code"], "idempotency_mismatch");
    let list = app.get(&user, &format!("{PATH}?scope=mine")).await.expect(StatusCode::OK);
    assert_eq!(list["meta"]["total"], 1);
}

#[tokio::test]
async fn pages_lead_through_one_s_own_and_then_the_built_ins() {
    let app = TestApp::start().await;
    let user = app.user().await;
    for number in 0..3 {
        created(&app, &user, dip(&format!("S{number}"))).await;
    }
    let mut seen = Vec::new();
    for page in 1..=8 {
        let list = app.get(&user, &format!("{PATH}?limit=2&page={page}")).await;
        let list = list.expect(StatusCode::OK);
        assert_eq!((&list["meta"]["total"], &list["meta"]["total_pages"]), (&json!(16), &json!(8)));
        assert_eq!(list["meta"]["has_more"], page < 8);
        seen.extend(list["data"].as_array().unwrap().iter().map(|s| s["slug"].clone()));
    }
    let expected: Vec<&str> = ["s2", "s1", "s0"].into_iter().chain(BUILTINS).collect();
    assert_eq!(seen, expected);
    let (mut cursor, mut walked) = (String::new(), Vec::new());
    let mut next = app.get(&user, &format!("{PATH}?limit=2")).await.expect(StatusCode::OK);
    loop {
        walked.extend(next["data"].as_array().unwrap().iter().map(|s| s["slug"].clone()));
        let Some(following) = next["meta"]["next_cursor"].as_str() else { break };
        assert_ne!(following, cursor);
        cursor = following.to_owned();
        next =
            app.get(&user, &format!("{PATH}?limit=2&cursor={cursor}")).await.expect(StatusCode::OK);
    }
    assert_eq!(walked, expected);
}

#[tokio::test]
async fn what_cannot_mean_what_it_says_is_a_warning_of_the_strategy_and_of_its_validation() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let mut body = dip("Doubtful");
    body["default_parameters"]["oversold"] = json!(200);
    body["exit_rules"] = json!({"indicator": "rsi", "comparator": "between", "value": [70, 30]});
    body["config"] = json!({"stop_loss": 0.05});
    let expected = [
        ("config.stop_loss", "suspicious_unit"),
        ("entry_rules.conditions[0].value", "always_true"),
        ("exit_rules.value", "reversed_range"),
    ];
    let expect = |warnings: &Value, by: &str| {
        let warnings = warnings.as_array().unwrap();
        let found: Vec<_> = warnings
            .iter()
            .map(|it| (it["field"].as_str().unwrap(), it["code"].as_str().unwrap()))
            .collect();
        assert_eq!(found, expected, "{by}");
    };
    let validated = app.post(&user, &format!("{PATH}/validate"), body.clone()).await;
    let validated = validated.expect(StatusCode::OK)["data"].clone();
    assert_eq!(validated["valid"], true);
    expect(&validated["warnings"], "validate");
    let made = created(&app, &user, body).await;
    expect(&made["warnings"], "POST");
    let path = format!("{PATH}/{}", made["id"].as_str().unwrap());
    let read = app.get(&user, &path).await.expect(StatusCode::OK)["data"].clone();
    expect(&read["warnings"], "GET");
    // What was read can be sent back.
    let replaced = app.send(&user, Method::PUT, &path, Some(read), &[]).await;
    expect(&replaced.expect(StatusCode::OK)["data"]["warnings"], "PUT");
    let patch = json!({"default_parameters": {"oversold": 30}, "exit_rules": null, "config": null});
    let patched = app.send(&user, Method::PATCH, &path, Some(patch), &[]).await;
    assert_eq!(patched.expect(StatusCode::OK)["data"]["warnings"], json!([]));
}

#[tokio::test]
async fn a_misspelt_slug_suggests_the_built_in() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let reply = app.get(&user, &format!("{PATH}/golden-cros")).await;
    let message = reply.expect(StatusCode::NOT_FOUND)["error"]["message"].clone();
    assert_eq!(message, "There is no such strategy. Did you mean `golden-cross`?");
    let body = json!({"strategy_id": "golden-cros", "symbol": "BTCUSDT"});
    let reply = app.post(&user, "/api/v1/backtests", body).await;
    let details = reply.expect(StatusCode::UNPROCESSABLE_ENTITY)["error"]["details"].to_string();
    assert!(details.contains("did you mean `golden-cross`?"), "{details}");
}

#[tokio::test]
async fn an_update_keeps_the_identity_of_a_strategy() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let made = created(&app, &user, dip("Dip")).await;
    let path = format!("{PATH}/{}", made["id"].as_str().unwrap());
    let other = "0192f0c1-2d3e-7f00-8a1b-2c3d4e5f6a7b";
    for (field, value) in [
        ("id", json!(other)),
        ("slug", json!("other")),
        ("version", json!(7)),
        ("owner_id", json!(other)),
    ] {
        let expected = [(field.to_owned(), "read_only".to_owned())];
        let patch = Some(json!({field: value}));
        let reply = app.send(&user, Method::PATCH, &path, patch, &[]).await;
        assert_eq!(reply.field_errors(), expected);
        let mut body = dip("Dip");
        body[field] = value;
        let reply = app.send(&user, Method::PUT, &path, Some(body), &[]).await;
        assert_eq!(reply.field_errors(), expected);
    }
    // What is sent back as it was read is no change, whatever the case of its id.
    let mut same = made.clone();
    same["id"] = json!(made["id"].as_str().unwrap().to_uppercase());
    let kept = app.send(&user, Method::PATCH, &path, Some(same), &[]).await;
    assert_eq!(kept.expect(StatusCode::OK)["data"], made);
    let kept = app.send(&user, Method::PUT, &path, Some(made.clone()), &[]).await;
    assert_eq!(kept.expect(StatusCode::OK)["data"], made);
    let upper = format!("{PATH}/{}", made["id"].as_str().unwrap().to_uppercase());
    assert_eq!(app.get(&user, &upper).await.expect(StatusCode::OK)["data"]["id"], made["id"]);
}

#[tokio::test]
async fn a_repeated_validation_says_so() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let path = format!("{PATH}/validate");
    let key = [("idempotency-key", "once")];
    let validate = async |body: Value| app.send(&user, Method::POST, &path, Some(body), &key).await;
    let first = validate(dip("Dip")).await;
    assert_eq!(first.header("idempotency-replayed"), "");
    let again = validate(dip("Dip")).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.expect(StatusCode::OK), first.expect(StatusCode::OK));
    let other = validate(dip("Other")).await;
    assert_eq!(other.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(other.body["error"]["code"], "idempotency_mismatch");
}

#[tokio::test]
async fn patches_at_the_same_time_are_merged() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let made = created(&app, &user, dip("Dip")).await;
    let path = format!("{PATH}/{}", made["id"].as_str().unwrap());
    let patch = async |number: usize| {
        let name = format!("extra_{number}");
        let patch = Some(json!({"default_parameters": {name: number}}));
        app.send(&user, Method::PATCH, &path, patch, &[]).await.expect(StatusCode::OK);
    };
    futures_util::future::join_all((0..12).map(patch)).await;
    let merged = app.get(&user, &path).await.expect(StatusCode::OK)["data"].clone();
    for number in 0..12 {
        let value = &merged["default_parameters"][format!("extra_{number}")];
        assert_eq!(*value, json!(number), "{merged}");
    }
}
