//! POST /backtests to a read that says `completed`, over HTTP, for eight years of daily candles.

use std::{
    io::Cursor,
    time::{Duration, Instant},
};

use infra::{
    clock::Clock,
    files::candle_csv::{self, Options},
};
use serde_json::{Value, json};
use server::{app, config::Config, roles::Roles};
use tests::TestCluster;

use crate::{Figure, percentile};

pub(crate) const NAMES: [&str; 2] = ["post_to_completed_p50", "post_to_completed_p99"];
const CANDLES: &[u8] = include_bytes!("../../../domain/testdata/candles/BTCUSDT_1d.csv");
const RUNS: usize = 200;
const WARM_UP_RUNS: usize = 20;
/// Between two reads of a run that goes on.
const POLL_PAUSE: Duration = Duration::from_millis(1);

type Failure = Box<dyn std::error::Error>;

pub(crate) async fn measure(cluster: &TestCluster) -> Result<Vec<Figure>, Failure> {
    let test = cluster.database().await;
    let environment = [
        ("BACKTRAIL_DATABASE__URL".to_owned(), test.url.clone()),
        ("BACKTRAIL_HTTP__LISTEN".to_owned(), "127.0.0.1:0".to_owned()),
    ];
    let app = app::start(&Config::load(None, environment)?, &Roles::all(), Clock::system()).await?;
    let options = Options { timeframe: None, now: i64::MAX, accept_bad_rows: false };
    let parsed = candle_csv::parse(Cursor::new(CANDLES), &options)?;
    let symbol = "BTCUSDT".parse()?;
    app.context().candles.import(&symbol, parsed.timeframe, &parsed.candles, None, |_| {}).await?;
    let address = app.address();
    let client = Client::sign_up(format!("http://{address}/api/v1")).await?;
    let mut latencies_ms = Vec::new();
    for run in 0..WARM_UP_RUNS + RUNS {
        let latency = client.run().await?;
        if run >= WARM_UP_RUNS {
            latencies_ms.push(latency.as_secs_f64() * 1e3);
        }
    }
    app.shutdown().await?;
    latencies_ms.sort_by(f64::total_cmp);
    Ok(vec![
        Figure::alone(NAMES[0], percentile(&latencies_ms, 0.5), "ms", "value < 30"),
        Figure::alone(NAMES[1], percentile(&latencies_ms, 0.99), "ms", "value < 100"),
    ])
}

/// A signed-in user.
struct Client {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Client {
    async fn sign_up(base: String) -> Result<Self, Failure> {
        let mut client = Self { http: reqwest::Client::new(), base, token: String::new() };
        let (email, password) = ("figures@example.com", "correct horse battery staple");
        let user = json!({ "email": email, "password": password, "name": "Figures" });
        client.send(client.http.post(client.url("/users")).json(&user)).await?;
        let session = json!({ "email": email, "password": password });
        let session = client.send(client.http.post(client.url("/sessions")).json(&session)).await?;
        client.token = session["token"].as_str().ok_or("no token")?.to_owned();
        Ok(client)
    }

    /// From the request to the first read that says that the run is done.
    async fn run(&self) -> Result<Duration, Failure> {
        let body = json!({
            "strategy_id": "golden-cross", "symbol": "BTCUSDT", "timeframe": "1d", "initial_balance": "10000",
        });
        let started = Instant::now();
        let run = self.send(self.http.post(self.url("/backtests")).json(&body)).await?;
        let path = format!("/backtests/{}", run["id"].as_str().ok_or("no id")?);
        loop {
            let run = self.send(self.http.get(self.url(&path))).await?;
            match run["status"].as_str() {
                Some("completed") => return Ok(started.elapsed()),
                Some("pending" | "running") => tokio::time::sleep(POLL_PAUSE).await,
                _ => return Err(run.to_string().into()),
            }
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Value, Failure> {
        let response = request.bearer_auth(&self.token).send().await?;
        let (status, mut body) = (response.status(), response.json::<Value>().await?);
        if status.is_success() { Ok(body["data"].take()) } else { Err(body.to_string().into()) }
    }
}
