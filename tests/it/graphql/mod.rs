//! GraphQL: the same data, the same ownership, bounded work.

mod limits;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tests::{ANYONE, TestApp, TestUser};

use crate::rest::{completed, golden_cross};

const PATH: &str = "/api/v1/graphql";
const PAGE: &str = r#"query Page($first: Int!) {
  backtests(first: $first, filter: {assetSymbol: "BTC", status: COMPLETED},
            orderBy: {field: SHARPE_RATIO, direction: DESC}) {
    edges { cursor node {
      id symbol status progress finalBalance
      strategy { id slug name }
      metrics { sharpeRatio totalPnl totalTrades maxDrawdownPercentage }
      trades(first: 2) { nodes { number side pnl } pageInfo { hasNextPage } }
    } }
    pageInfo { hasNextPage endCursor }
  } }"#;

async fn ask(app: &TestApp, user: &TestUser, query: &str, variables: Value) -> Value {
    let body = json!({"query": query, "variables": variables});
    app.post(user, PATH, body).await.expect(StatusCode::OK)
}

async fn data(app: &TestApp, user: &TestUser, query: &str, variables: Value) -> Value {
    let answer = ask(app, user, query, variables).await;
    assert_eq!(answer["errors"], Value::Null, "{answer}");
    answer["data"].clone()
}

/// So many completed runs with different parameters.
async fn runs(app: &TestApp, user: &TestUser, count: u64) {
    for number in 0..count {
        let mut body = golden_cross();
        body["parameters"] = json!({"short_window": 10 + number, "long_window": 40 + 2 * number});
        completed(app, user, body).await;
    }
}

#[tokio::test]
async fn a_page_of_runs_comes_with_strategy_metrics_and_trades() {
    let app = TestApp::with_candles().await;
    let user = app.user().await;
    runs(&app, &user, 3).await;
    let first = data(&app, &user, PAGE, json!({"first": 2})).await["backtests"].clone();
    assert_eq!(first["pageInfo"]["hasNextPage"], true);
    let node = &first["edges"][0]["node"];
    assert_eq!(node["strategy"]["slug"], "golden-cross");
    assert_eq!((&node["status"], &node["progress"]), (&json!("COMPLETED"), &json!(100)));
    assert!(node["metrics"]["sharpeRatio"].is_f64() && node["finalBalance"].is_string());
    assert_eq!(node["trades"]["nodes"].as_array().map(Vec::len), Some(2));
    assert_eq!(node["trades"]["nodes"][0]["number"], 1);
    let after = first["pageInfo"]["endCursor"].clone();
    let query = r#"query($after: String) { backtests(first: 2, after: $after,
        filter: {assetSymbol: "BTC", status: COMPLETED}, orderBy: {field: SHARPE_RATIO, direction: DESC}) {
        nodes { metrics { sharpeRatio } } pageInfo { hasPreviousPage hasNextPage } } }"#;
    let rest = data(&app, &user, query, json!({"after": after})).await["backtests"].clone();
    assert_eq!(rest["nodes"].as_array().map(Vec::len), Some(1));
    assert_eq!(rest["pageInfo"], json!({"hasPreviousPage": true, "hasNextPage": false}));
    let best = node["metrics"]["sharpeRatio"].as_f64().unwrap();
    assert!(best >= rest["nodes"][0]["metrics"]["sharpeRatio"].as_f64().unwrap());
}

#[tokio::test]
async fn runs_are_found_by_a_bound_on_a_metric() {
    let app = TestApp::with_candles().await;
    let user = app.user().await;
    runs(&app, &user, 2).await;
    let all = data(&app, &user, PAGE, json!({"first": 2})).await["backtests"].clone();
    let node = &all["edges"][0]["node"];
    let best = node["metrics"]["sharpeRatio"].as_f64().unwrap();
    let query = r"query($gt: Float!) {
        backtests(first: 10, filter: {metrics: {sharpeRatio: {gt: $gt}}}) { nodes { id } } }";
    let none = data(&app, &user, query, json!({"gt": best})).await;
    assert_eq!(none["backtests"]["nodes"], json!([]));
    let some = data(&app, &user, query, json!({"gt": best - 1e-9})).await;
    assert_eq!(some["backtests"]["nodes"], json!([{"id": node["id"]}]));
}

/// Statements on read models so far, the projector's own left out.
async fn statements(client: &tokio_postgres::Client) -> i64 {
    let sql = "SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_statements \
               WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) \
               AND query LIKE 'SELECT %read_models.%_v_ %' AND query NOT LIKE '%pg_stat_statements%'";
    client.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn a_page_takes_the_same_number_of_statements_whatever_its_size() {
    let app = TestApp::with_candles().await;
    let user = app.user().await;
    runs(&app, &user, 6).await;
    let client = app.database().superuser().await;
    client.batch_execute("CREATE EXTENSION pg_stat_statements").await.unwrap();
    let mut counts = Vec::new();
    for first in [1, 5] {
        let before = statements(&client).await;
        let page = data(&app, &user, PAGE, json!({"first": first})).await;
        counts.push(statements(&client).await - before);
        assert_eq!(page["backtests"]["edges"].as_array().map(Vec::len), Some(first));
    }
    // The page, its strategies, its trades.
    assert_eq!(counts, [3, 3]);
}

#[tokio::test]
async fn one_sees_oneself_and_one_s_own_and_a_stranger_is_refused() {
    let app = TestApp::with_candles().await;
    let (user, stranger) = (app.user().await, app.user().await);
    let run = completed(&app, &user, golden_cross()).await;
    let strategy = json!({"name": "Mine", "code_ref": "buy_and_hold"});
    app.post(&user, "/api/v1/strategies", strategy).await.expect(StatusCode::CREATED);
    let query = "query($id: ID!) { me { id email } strategies(first: 5) { nodes { slug } } \
                 backtest(id: $id) { id } }";
    let id = json!({"id": run["id"]});
    let own = data(&app, &user, query, id.clone()).await;
    assert_eq!(own["me"]["email"], user.email);
    assert_eq!(own["strategies"]["nodes"], json!([{"slug": "mine"}]));
    assert_eq!(own["backtest"]["id"], run["id"]);
    let other = ask(&app, &stranger, "query($id: ID!) { backtest(id: $id) { id } }", id).await;
    assert_eq!(other["errors"][0]["extensions"]["code"], "forbidden");
    let other = ask(&app, &stranger, r#"{ strategy(id: "mine") { id } }"#, json!({})).await;
    assert_eq!(other["errors"][0]["extensions"]["code"], "not_found");
    let none = data(&app, &stranger, "{ backtests(first: 5) { nodes { id } } }", json!({})).await;
    assert_eq!(none["backtests"]["nodes"], json!([]));
    let body = json!({"query": "{ me { id } }"});
    app.post(&ANYONE, PATH, body).await.expect(StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn work_is_bounded_by_page_depth_complexity_and_batch() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let too_many = "{ backtests(first: 101) { nodes { id } } }";
    let too_many = ask(&app, &user, too_many, json!({})).await;
    assert_eq!(too_many["errors"][0]["extensions"]["code"], "validation_failed");
    let complex = "{ backtests(first: 100) { nodes { trades(first: 100) { nodes { id } } } } }";
    let complex = ask(&app, &user, complex, json!({})).await;
    let error = &complex["errors"][0];
    assert_eq!(error["extensions"], json!({"code": "too_complex", "cost": 30_200, "limit": 5_000}));
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("costs 30200") && message.contains("limit is 5000"), "{message}");
    let deep = (0..14).fold("name".to_owned(), |inner, _| format!("ofType {{ {inner} }}"));
    let types = format!("__schema {{ types {{ {deep} }} }}");
    let both = ask(&app, &user, &format!("{{ me {{ id }} {types} }}"), json!({})).await;
    let extensions = &both["errors"][0]["extensions"];
    assert_eq!((&extensions["code"], &extensions["limit"]), (&json!("too_deep"), &json!(12)));
    data(&app, &user, &format!("{{ {types} }}"), json!({})).await;
    let batch = |size| Value::Array(vec![json!({"query": "{ me { id } }"}); size]);
    let refused = app.post(&user, PATH, batch(11)).await;
    refused.expect(StatusCode::UNPROCESSABLE_ENTITY);
    let answers = app.post(&user, PATH, batch(2)).await.expect(StatusCode::OK);
    assert_eq!(answers.as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn queries_come_by_get_and_at_every_path_and_mutations_by_none() {
    let app = TestApp::start().await;
    let user = app.user().await;
    for path in ["/graphql", PATH, "/api/graphql"] {
        let accept = [("accept", "application/graphql-response+json")];
        let path = format!("{path}?query=%7B%20me%20%7B%20email%20%7D%20%7D");
        let reply = app.send(&user, Method::GET, &path, None, &accept).await;
        assert_eq!(reply.header("content-type"), "application/graphql-response+json");
        assert_eq!(reply.expect(StatusCode::OK)["data"]["me"]["email"], user.email);
    }
    let mutation = ask(&app, &user, "mutation { anything }", json!({})).await;
    assert!(mutation["errors"].is_array());
}

#[tokio::test]
async fn what_is_missing_is_null_beside_the_rest_and_every_error_has_a_code() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let query = r#"{ me { email } backtest(id: "0192F0C1-2D3E-7F00-8A1B-2C3D4E5F6A7B") { id }
                     strategy(id: "nothing") { id } }"#;
    let answer = ask(&app, &user, query, json!({})).await;
    let expected = json!({"me": {"email": user.email}, "backtest": null, "strategy": null});
    assert_eq!(answer["data"], expected);
    let codes = answer["errors"].as_array().unwrap().iter();
    assert!(codes.clone().count() == 2 && codes.clone().all(|error| error["path"].is_array()));
    assert!(codes.map(|error| &error["extensions"]["code"]).all(|code| code == "not_found"));
    let accept = [("accept", "application/graphql-response+json")];
    for (query, code) in [
        ("{ me { id }", "malformed"),
        ("{ nothing }", "validation_failed"),
        ("{ backtests { nodes { id } } }", "validation_failed"),
        ("query($id: ID!) { backtest(id: $id) { id } }", "validation_failed"),
        (
            "{ backtests(first: 100) { nodes { trades(first: 100) { nodes { id } } } } }",
            "too_complex",
        ),
    ] {
        let body = Some(json!({"query": query}));
        let reply = app.send(&user, Method::POST, PATH, body.clone(), &accept).await;
        let answer = reply.expect(StatusCode::BAD_REQUEST);
        assert_eq!(answer["errors"][0]["extensions"]["code"], code, "{answer}");
        assert!(answer.get("data").is_none(), "{answer}");
        let older = app.send(&user, Method::POST, PATH, body, &[]).await.expect(StatusCode::OK);
        assert_eq!(older, answer);
    }
    // What was executed in part is not refused.
    let body = Some(json!({"query": r#"{ me { id } strategy(id: "nothing") { id } }"#}));
    app.send(&user, Method::POST, PATH, body, &accept).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn runs_are_filtered_by_slug_states_origin_and_text() {
    let app = TestApp::with_candles().await;
    let user = app.user().await;
    let strategy = json!({"name": "Hold on", "code_ref": "buy_and_hold"});
    app.post(&user, "/api/v1/strategies", strategy).await.expect(StatusCode::CREATED);
    let crosses = completed(&app, &user, golden_cross()).await;
    let held = json!({"strategy_id": "hold-on", "symbol": "BTC/USDT", "start_time": "2020-01-01"});
    let held = completed(&app, &user, held).await;
    for (filter, expected) in [
        (r#"strategyId: "golden-cross""#, vec![&crosses]),
        (r#"strategyId: "hold-on""#, vec![&held]),
        ("status: [COMPLETED, FAILED]", vec![&held, &crosses]),
        ("status: [PENDING, FAILED]", vec![]),
        ("status: COMPLETED", vec![&held, &crosses]),
        ("origin: USER", vec![&held, &crosses]),
        ("origin: [SWEEP, REPLAY]", vec![]),
        (r#"search: "HOLD""#, vec![&held]),
        (r#"search: "btc""#, vec![&held, &crosses]),
        (r#"symbol: "BTC-USDT""#, vec![&held, &crosses]),
    ] {
        let query =
            format!("{{ backtests(first: 9, filter: {{ {filter} }}) {{ nodes {{ id }} }} }}");
        let found = data(&app, &user, &query, json!({})).await["backtests"]["nodes"].clone();
        let expected: Vec<_> = expected.iter().map(|run| json!({"id": run["id"]})).collect();
        assert_eq!(found, json!(expected), "{filter}");
    }
    let query = r#"{ backtests(first: 9, filter: {strategyId: "nothing"}) { nodes { id } } }"#;
    let unknown = ask(&app, &user, query, json!({})).await;
    assert_eq!(unknown["errors"][0]["extensions"]["code"], "not_found");
    let query = r#"{ strategies(first: 9, search: "HOLD", isActive: true) { nodes { slug } } }"#;
    let found = data(&app, &user, query, json!({})).await;
    assert_eq!(found["strategies"]["nodes"], json!([{"slug": "hold-on"}]));
}
