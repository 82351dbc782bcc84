//! The read side behind the HTTP API of the whole service: read your writes, and rebuilds of real runs.

use std::sync::atomic::{AtomicBool, Ordering};

use domain::{market::Timeframe, simulation::Candles};
use infra::{clock::Clock, postgres::market_data::CandleStore};
use projections::status;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use server::{
    app::{self, App},
    config::Config,
    roles::Roles,
};

use super::Bench;
use crate::executor::desk::{minutes, restless};

const MILLION: i64 = 1_000_000;

/// The service over a separate database, and a user signed in to it.
struct Service {
    bench: Bench,
    app: App,
    client: Client,
    token: String,
}

/// What a request is answered with.
struct Answer {
    status: StatusCode,
    body: Value,
}

impl Service {
    async fn start() -> Self {
        let bench = Bench::new().await;
        let environment = [
            ("BACKTRAIL_HTTP__LISTEN", "127.0.0.1:0"),
            ("BACKTRAIL_DATABASE__URL", &bench.database.url),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let config = Config::load(None, environment).expect("the configuration");
        let app = app::start(&config, &Roles::all(), Clock::system()).await.expect("the service");
        let mut service = Self { bench, app, client: Client::new(), token: String::new() };
        let credentials = json!({"email": "ada@example.com", "password": "correct horse"});
        let mut person = credentials.clone();
        person["name"] = json!("Ada");
        let created = service.send(Method::POST, "/users", Some(&person)).await;
        assert_eq!(created.status, StatusCode::CREATED, "{}", created.body);
        let session = service.send(Method::POST, "/sessions", Some(&credentials)).await;
        assert_eq!(session.status, StatusCode::OK, "{}", session.body);
        session.body["data"]["token"].as_str().expect("a token").clone_into(&mut service.token);
        service
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let address = self.app.address();
        let mut request = self.client.request(method, format!("http://{address}/api/v1{path}"));
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.expect("an answer");
        let status = response.status();
        let text = response.text().await.expect("a body");
        Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::Null) }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    /// Posts it, and answers the path of what was made.
    async fn create(&self, path: &str, body: &Value) -> String {
        let created = self.send(Method::POST, path, Some(body)).await;
        assert!(created.status.is_success(), "{}: {}", created.status, created.body);
        format!("{path}/{}", created.body["data"]["id"].as_str().expect("an id"))
    }

    async fn import(&self, symbol: &str, candles: &Candles) {
        let store = CandleStore::new(self.bench.database.database.clone());
        let symbol = symbol.parse().expect("a symbol");
        let imported = store.import(&symbol, Timeframe::OneMinute, candles, None, |_| {}).await;
        imported.expect("the import");
    }
}

fn strategy(name: &str) -> Value {
    let mut body = restless();
    body["name"] = json!(name);
    body
}

fn backtest(strategy_path: &str) -> Value {
    let id = strategy_path.rsplit('/').next();
    json!({"strategy_id": id, "symbol": "BTCUSDT", "timeframe": "1m", "initial_balance": 1_000_000})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_get_right_after_a_post_never_misses_while_a_million_candles_are_imported() {
    let service = Service::start().await;
    service.import("BTCUSDT", &minutes(60)).await;
    let is_done = AtomicBool::new(false);
    let writes_and_reads = async {
        for number in 0..1_000 {
            let path = service.create("/strategies", &strategy(&format!("s {number}"))).await;
            let read = service.get(&path).await;
            assert_eq!(read.status, StatusCode::OK, "strategy {number}: {}", read.body);
            if number % 10 == 0 {
                let change = json!({"description": "changed"});
                let changed = service.send(Method::PATCH, &path, Some(&change)).await;
                assert_eq!(changed.status, StatusCode::OK, "{}", changed.body);
                assert_eq!(service.get(&path).await.body["data"]["description"], "changed");
                let run = service.create("/backtests", &backtest(&path)).await;
                let read = service.get(&run).await;
                assert_eq!(read.status, StatusCode::OK, "backtest {number}: {}", read.body);
                let deleted = service.send(Method::DELETE, &path, None).await;
                assert!(deleted.status.is_success(), "{}", deleted.body);
                assert_eq!(service.get(&path).await.status, StatusCode::NOT_FOUND);
            }
        }
        is_done.store(true, Ordering::Relaxed);
    };
    let imports = async {
        // The next million follows the last one, as long as there are writes.
        for round in 0.. {
            let mut candles = minutes(MILLION);
            for open_time in &mut candles.open_time {
                *open_time += round * MILLION * 60_000;
            }
            service.import("ETHUSDT", &candles).await;
            if is_done.load(Ordering::Relaxed) {
                break;
            }
        }
    };
    tokio::join!(writes_and_reads, imports);
    service.app.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn read_models_of_real_runs_are_rebuilt_row_by_row_as_they_were() {
    let service = Service::start().await;
    service.import("BTCUSDT", &minutes(2_000)).await;
    let strategy = service.create("/strategies", &strategy("Restless")).await;
    let mut runs = Vec::new();
    for _ in 0..3 {
        runs.push(service.create("/backtests", &backtest(&strategy)).await);
    }
    let grid = json!({"short_window": [5, 10], "long_window": [20, 30]});
    let sweep = json!({"strategy_id": "golden-cross", "symbol": "BTCUSDT", "timeframe": "1m", "grid": grid});
    let sweep = service.create("/sweeps", &sweep).await;
    let completed = async |path: &str| {
        let patience = tokio::time::timeout(std::time::Duration::from_secs(60), async {
            let mut wakeups = service.app.context().store.wakeups();
            while service.get(path).await.body["data"]["status"] != "completed" {
                // The last wake-up may come before the read model has taken its event in.
                let look = std::time::Duration::from_millis(50);
                let _ = tokio::time::timeout(look, wakeups.changed()).await;
            }
        });
        patience.await.expect("the run completes");
    };
    completed(&sweep).await;
    for run in &runs {
        completed(run).await;
        // Who sees `completed` sees all of it.
        let all =
            service.get(run).await.body["data"]["performance_summary"]["total_trades"].clone();
        assert_eq!(service.get(&format!("{run}/trades")).await.body["meta"]["total"], all);
        assert!(all.as_i64().unwrap() > 100);
    }
    let app = service.app;
    app.shutdown().await.unwrap();
    for model in status::list() {
        let live = service.bench.rows(model.table).await;
        assert!(!live.is_empty(), "{} has rows to compare", model.name);
        service.bench.reads.rebuild(&service.bench.store, model.name, |_| {}).await.unwrap();
        assert_eq!(service.bench.rows(model.table).await, live, "{}", model.name);
    }
}
