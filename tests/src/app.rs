//! The real service over a database of its own, and one client of it.

use std::net::SocketAddr;

use api::Context;
use infra::files::candle_csv;
use reqwest::{Method, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use server::{
    app::{self, App},
    config::Config,
    roles::Roles,
};

use crate::TestDatabase;

/// The service, started as the binary starts it, on a port of its own. Dropping it fails the test if work is left undone.
pub struct TestApp {
    /// Dropped before the database.
    app: App,
    address: SocketAddr,
    http: reqwest::Client,
    database: TestDatabase,
    users_count: std::sync::atomic::AtomicU32,
}

/// Someone who is signed in, or not.
#[derive(Clone)]
pub struct TestUser {
    pub token: Option<String>,
    pub id: String,
    pub email: String,
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// Null where there was no JSON.
    pub body: Value,
    pub text: String,
}

/// Nobody.
pub const ANYONE: TestUser = TestUser { token: None, id: String::new(), email: String::new() };

impl TestApp {
    /// With every role.
    pub async fn start() -> Self {
        let database = TestDatabase::new().await;
        let environment = [
            ("BACKTRAIL_DATABASE__URL", database.url.as_str()),
            ("BACKTRAIL_HTTP__LISTEN", "127.0.0.1:0"),
            ("BACKTRAIL_DATABASE__CONNECTIONS_MAX", "12"),
            ("BACKTRAIL_EXECUTOR__CONCURRENCY", "1"),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let config = Config::load(None, environment).expect("the configuration");
        let app = app::start(&config, &Roles::all()).await.expect("the app");
        let address = app.address().expect("an address");
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { app, address, http, database, users_count: 0.into() }
    }

    /// With every role and the daily candles of BTCUSDT.
    pub async fn with_candles() -> Self {
        let app = Self::start().await;
        app.import_daily_btcusdt().await;
        app
    }

    /// The handles that its requests use.
    #[must_use]
    pub fn context(&self) -> &Context {
        self.app.context()
    }

    /// The database underneath.
    #[must_use]
    pub fn database(&self) -> &TestDatabase {
        &self.database
    }

    /// Signs someone new up and in.
    pub async fn user(&self) -> TestUser {
        let number = self.users_count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let email = format!("user-{number}@example.com");
        let password = "correct horse battery";
        let body = json!({"email": email, "password": password, "name": "Someone"});
        self.post(&ANYONE, "/api/v1/users", body).await.expect(StatusCode::CREATED);
        let body = json!({"email": email, "password": password});
        let session = self.post(&ANYONE, "/api/v1/sessions", body).await.expect(StatusCode::OK);
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let token = Some(text(&session["data"]["token"]));
        TestUser { token, id: text(&session["data"]["user"]["id"]), email }
    }

    /// GET.
    pub async fn get(&self, user: &TestUser, path: &str) -> Reply {
        self.send(user, Method::GET, path, None, &[]).await
    }

    /// POST of JSON.
    pub async fn post(&self, user: &TestUser, path: &str, body: Value) -> Reply {
        self.send(user, Method::POST, path, Some(body), &[]).await
    }

    /// Any request with JSON, or without a body.
    pub async fn send(
        &self,
        user: &TestUser,
        method: Method,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Reply {
        let mut request = self.request(user, method, path);
        if let Some(body) = body {
            request = request.json(&body);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Reply::of(request).await
    }

    /// A request to be completed.
    pub fn request(&self, user: &TestUser, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("http://{}{path}", self.address));
        match &user.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    async fn import_daily_btcusdt(&self) {
        let path =
            concat!(env!("CARGO_MANIFEST_DIR"), "/../domain/testdata/candles/BTCUSDT_1d.csv");
        let text = std::fs::read(path).expect("the candles");
        let now = infra::clock::now().timestamp_millis();
        let read = candle_csv::parse(text.as_slice(), None, now).expect("candles");
        let symbol = "BTCUSDT".parse().expect("a symbol");
        let timeframe = "1d".parse().expect("a timeframe");
        let candles = &self.context().candles;
        let imported = candles.import(&symbol, timeframe, &read.candles, None, |_| {}).await;
        imported.expect("an import");
    }
}

impl Reply {
    /// Sends the request.
    pub async fn of(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.expect("a response");
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.expect("a body");
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Self { status, headers, body, text }
    }

    /// The body, if the status is that one.
    #[track_caller]
    pub fn expect(self, status: StatusCode) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.body
    }

    /// A header's text; empty when it is not there.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Fields and codes of a 422, in order.
    #[track_caller]
    #[must_use]
    pub fn field_errors(&self) -> Vec<(String, String)> {
        assert_eq!(self.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", self.text);
        let errors = self.body["errors"].as_array().expect("errors");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        errors.iter().map(|error| (text(&error["field"]), text(&error["code"]))).collect()
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let url = self.database.url.clone();
        // A runtime of its own: the test's may be waiting for this.
        let left = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(undone(&url))
        });
        let left = left.join().expect("an answer");
        assert!(left.is_empty(), "work is left undone: {left:?}");
    }
}

/// Runs that wait, and events that no read model could take.
async fn undone(url: &str) -> Vec<String> {
    let (client, connection) =
        tokio_postgres::connect(url, tokio_postgres::NoTls).await.expect("a connection");
    tokio::spawn(connection);
    let sql = "SELECT 'run ' || backtest_id FROM run_queue UNION ALL \
               SELECT 'dead letter ' || id FROM read_models.dead_letters";
    let rows = client.query(sql, &[]).await.expect("what is left");
    rows.iter().map(|row| row.get(0)).collect()
}
