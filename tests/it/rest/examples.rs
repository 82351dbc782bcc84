//! The examples of the published document: what the service really responds to one request for each operation, recorded with
//! `UPDATE_CONTRACT=1`, and held against what it responds today.

use std::{collections::BTreeMap, path::Path};

use reqwest::{Method, StatusCode};
use serde_json::{Map, Value, json};
use server::roles::{Role, Roles};
use tests::{ANYONE, TestApp, TestUser};

use super::golden_cross;

/// Rows of a list that an example shows.
const ROWS_MAX: usize = 2;
/// Sessions get a random one, which the document does not show.
const TOKEN: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";

/// Sends one request for each operation.
struct Recorder<'a> {
    app: &'a TestApp,
    user: TestUser,
    /// By operation: `request`, where there is a body, and `response`.
    examples: BTreeMap<&'static str, Value>,
}

impl Recorder<'_> {
    async fn get(&mut self, operation: &'static str, path: &str) -> Value {
        self.send(operation, Method::GET, path, None).await
    }

    async fn send(
        &mut self,
        operation: &'static str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Value {
        let path = format!("/api/v1{path}");
        let headers = [("prefer", "wait=30"), ("x-request-id", "01JDR0EXAMPLE0000000000000")];
        let reply = self.app.send(&self.user, method, &path, body.clone(), &headers).await;
        assert!(reply.status.is_success(), "{operation}: {} {}", reply.status, reply.text);
        let mut response = reply.body.clone();
        shorten(&mut response, 0);
        let mut example = Map::from_iter([("response".to_owned(), response)]);
        if let Some(body) = body {
            example.insert("request".to_owned(), body);
        }
        self.examples.insert(operation, Value::Object(example));
        reply.body
    }
}

/// Keeps the first rows of each list, and no secret.
fn shorten(value: &mut Value, depth: usize) {
    match value {
        Value::Array(rows) => {
            // A row of a matrix stays as long as its axis.
            if depth > 0 && rows.iter().all(|row| !row.is_array()) {
                rows.truncate(ROWS_MAX);
            }
            rows.iter_mut().for_each(|row| shorten(row, depth + 1));
        }
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                match (name.as_str(), &value) {
                    ("token", Value::String(_)) => *value = json!(TOKEN),
                    _ => shorten(value, depth + 1),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The names and types of what is in a value; null is of any type.
fn shape(value: &Value) -> Value {
    match value {
        Value::Null => Value::Null,
        Value::Bool(_) => json!("boolean"),
        Value::Number(_) => json!("number"),
        Value::String(_) => json!("string"),
        Value::Array(_) => json!("array"),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), shape(value))).collect()
        }
    }
}

fn is_like(example: &Value, fresh: &Value) -> bool {
    match (example, fresh) {
        (Value::Null, _) | (_, Value::Null) => true,
        (Value::Object(example), Value::Object(fresh)) => {
            example.len() == fresh.len()
                && example
                    .iter()
                    .all(|(name, value)| fresh.get(name).is_some_and(|other| is_like(value, other)))
        }
        (example, fresh) => example == fresh,
    }
}

#[tokio::test]
async fn the_examples_of_the_document_are_what_the_service_responds() {
    let app = TestApp::with_candles().await;
    let mut recorder = Recorder { app: &app, user: ANYONE, examples: BTreeMap::new() };
    sign_in(&mut recorder).await;
    let strategy = strategies(&mut recorder).await;
    let run = backtests(&mut recorder).await;
    sweeps(&mut recorder).await;
    for (operation, path) in [
        ("listEvents", "/events?aggregate_type=strategy"),
        ("listSymbols", "/market_data/symbols"),
        ("listTimeframes", "/market_data/timeframes"),
        ("getCandles", "/market_data/BTCUSDT/1d?start_time=2024-01-01&limit=2"),
        ("listAssets", "/assets"),
        ("getAsset", "/assets/BTC"),
        ("getAssetPriceSeries", "/assets/BTC/price-series?start=2024-01-01&limit=2"),
        ("listIndicators", "/indicators"),
        ("getTime", "/time"),
        ("getVersion", "/version"),
        ("getMe", "/users/me"),
        ("getGraphQl", "/graphql?query=%7B%20me%20%7B%20name%20%7D%20%7D"),
    ] {
        recorder.get(operation, path).await;
    }
    let query = "{ backtests(filter: {assetSymbol: \"BTC\", metrics: {sharpeRatio: {gt: 0.5}}}, \
                 orderBy: {field: SHARPE_RATIO, direction: DESC}, first: 20) \
                 { edges { node { id symbol metrics { sharpeRatio totalReturn } } } } }";
    recorder.send("postGraphQl", Method::POST, "/graphql", Some(json!({"query": query}))).await;
    for (operation, path) in [
        ("deleteBacktest", format!("/backtests/{run}")),
        ("deleteStrategy", format!("/strategies/{strategy}")),
        ("closeSession", "/sessions".to_owned()),
    ] {
        recorder.send(operation, Method::DELETE, &path, None).await;
    }
    let mut examples = recorder.examples;
    examples.extend(cancellations().await);
    compare(examples);
}

/// Where nothing is executed, what was asked for can be cancelled for certain.
async fn cancellations() -> BTreeMap<&'static str, Value> {
    let app = TestApp::launch(&Roles::of(&[Role::Api, Role::Projector]), &[]).await;
    app.import_daily_btcusdt().await;
    let user = app.user().await;
    let mut recorder = Recorder { app: &app, user, examples: BTreeMap::new() };
    for (operation, path, body) in
        [("cancelBacktest", "/backtests", golden_cross()), ("cancelSweep", "/sweeps", sweep())]
    {
        let made = app.post(&recorder.user, &format!("/api/v1{path}"), body).await;
        let made = made.expect(StatusCode::ACCEPTED);
        let path = format!("{path}/{}/cancel", made["data"]["id"].as_str().unwrap());
        recorder.send(operation, Method::POST, &path, None).await;
    }
    recorder.examples
}

fn sweep() -> Value {
    json!({
        "strategy_id": "golden-cross", "symbol": "BTCUSDT",
        "start_time": "2020-01-01", "end_date": "2022-12-31",
        "grid": {"short_window": [10, 20], "long_window": [50, 100]},
        "walk_forward": {"mode": "anchored", "windows": 2},
    })
}

async fn sign_in(recorder: &mut Recorder<'_>) {
    let (email, password) = ("ada@example.com", "correct horse battery");
    let user = json!({"email": email, "password": password, "name": "Ada"});
    recorder.send("createUser", Method::POST, "/users", Some(user)).await;
    let credentials = json!({"email": email, "password": password});
    let session = recorder.send("openSession", Method::POST, "/sessions", Some(credentials)).await;
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    recorder.user = TestUser {
        token: Some(text(&session["data"]["token"])),
        id: text(&session["data"]["user"]["id"]),
        email: email.to_owned(),
    };
}

/// Returns the id of a strategy.
async fn strategies(recorder: &mut Recorder<'_>) -> String {
    let rules = json!({
        "entry_rules": {"operator": "and", "conditions": [
            {"indicator": "rsi(14)", "comparator": "<", "value": "$oversold"}]},
        "exit_rules": {"operator": "or", "conditions": [
            {"indicator": "rsi(14)", "comparator": ">", "value": 70}]},
        "config": {"stop_loss": 5, "take_profit": 10},
        "default_parameters": {"oversold": 30},
    });
    let path = "/strategies/validate";
    recorder.send("validateStrategy", Method::POST, path, Some(rules.clone())).await;
    let mut body = rules;
    body["name"] = json!("Buy the dip");
    let made = recorder.send("createStrategy", Method::POST, "/strategies", Some(body.clone()));
    let id = made.await["data"]["id"].as_str().unwrap().to_owned();
    let path = format!("/strategies/{id}");
    let patch = json!({"config": {"take_profit": 12}, "is_active": false});
    recorder.send("updateStrategy", Method::PATCH, &path, Some(patch)).await;
    body["description"] = json!("Buys when the market is oversold.");
    recorder.send("replaceStrategy", Method::PUT, &path, Some(body)).await;
    recorder.get("getStrategy", &path).await;
    recorder.get("listStrategyVersions", &format!("{path}/versions")).await;
    recorder.get("listStrategies", "/strategies").await;
    recorder.get("listCatalog", "/strategies/catalog").await;
    id
}

/// Returns the id of a run.
async fn backtests(recorder: &mut Recorder<'_>) -> String {
    let path = "/backtests";
    let made = recorder.send("createBacktest", Method::POST, path, Some(golden_cross())).await;
    let id = made["data"]["id"].as_str().unwrap().to_owned();
    recorder.get("listBacktests", "/backtests?include=metrics,strategy").await;
    for (operation, rest) in [
        ("getBacktest", "?include=metrics,strategy"),
        ("getBacktestMetrics", "/metrics"),
        ("listTrades", "/trades"),
        ("listLedger", "/ledger"),
        ("getEquity", "/equity"),
        ("listBacktestEvents", "/events"),
    ] {
        recorder.get(operation, &format!("/backtests/{id}{rest}")).await;
    }
    id
}

async fn sweeps(recorder: &mut Recorder<'_>) {
    let made = recorder.send("createSweep", Method::POST, "/sweeps", Some(sweep())).await;
    let path = format!("/sweeps/{}", made["data"]["id"].as_str().unwrap());
    recorder.get("listSweeps", "/sweeps").await;
    for (operation, rest) in [
        ("getSweep", ""),
        ("listSweepResults", "/results"),
        ("getSweepResult", "/results/1"),
        ("getSweepHeatMap", "/heatmap"),
        ("listSweepEvents", "/events"),
    ] {
        recorder.get(operation, &format!("{path}{rest}")).await;
    }
    let promote = format!("{path}/results/1/backtest");
    recorder.send("createBacktestOfSweepRow", Method::POST, &promote, None).await;
    recorder.send("deleteSweep", Method::DELETE, &path, None).await;
}

#[test]
fn every_operation_has_an_example() {
    let examples = published();
    let document = include_str!("../../../api/contract/openapi.json");
    let document: Value = serde_json::from_str(document).unwrap();
    let paths = document["paths"].as_object().unwrap().values();
    for operation in paths.flat_map(|path| path.as_object().unwrap().values()) {
        let id = operation["operationId"].as_str().unwrap();
        assert!(examples.contains_key(id), "{id}");
    }
}

fn file() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../api/contract/examples.json")
}

fn published() -> Map<String, Value> {
    serde_json::from_str(&std::fs::read_to_string(file()).unwrap()).unwrap()
}

fn compare(recorded: BTreeMap<&'static str, Value>) {
    if std::env::var_os("UPDATE_CONTRACT").is_some() {
        let text = serde_json::to_string_pretty(&recorded).unwrap();
        std::fs::write(file(), text + "\n").unwrap();
    }
    let published = published();
    assert_eq!(published.len(), recorded.len());
    for (operation, example) in recorded {
        let published = &published[operation];
        assert_eq!(published["request"], example["request"], "{operation}");
        let (published, fresh) = (shape(&published["response"]), shape(&example["response"]));
        assert!(is_like(&published, &fresh), "{operation}: {published} is not like {fresh}");
    }
}
