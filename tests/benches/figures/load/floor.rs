//! The floor under a run: a bare handler that simulates and writes result and trades by one INSERT, and knows nothing else.

use std::{
    io::Cursor,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use domain::simulation::{Candles, rules::BoundStrategy};
use futures_util::future::try_join_all;
use infra::{
    clock::Clock,
    files::candle_csv::{self, Options},
    postgres::Database,
};
use poem::{
    EndpointExt, Route, Server,
    error::InternalServerError,
    handler,
    http::StatusCode,
    listener::{Acceptor, Listener, TcpListener},
    post,
    web::Data,
};
use serde_json::{Value, json};
use tests::TestCluster;
use tokio_postgres::types::Json;
use uuid::Uuid;

use super::{CONNECTIONS, Failure, RUNS};
use crate::simulation::minutes;

const TABLE: &str =
    "CREATE TABLE bare_runs (id uuid PRIMARY KEY, result json NOT NULL, trades json NOT NULL);
                     GRANT INSERT ON bare_runs TO backtrail_app";

struct Bare {
    database: Database,
    candles: Candles,
    strategy: BoundStrategy,
}

/// Runs a second, as many as the service is asked for and over as many connections; the run and the strategy are the same.
pub(super) async fn measure(cluster: &TestCluster) -> Result<f64, Failure> {
    let test = cluster.database().await;
    test.superuser().await.batch_execute(TABLE).await?;
    let days = include_bytes!("../../../../domain/testdata/candles/BTCUSDT_1d.csv");
    let now = Clock::system().now().timestamp_millis();
    let options = Options { timeframe: None, now, accept_bad_rows: false };
    let candles = candle_csv::parse(Cursor::new(days), &options)?.candles;
    let database = test.database.clone();
    let bare = Arc::new(Bare { database, candles, strategy: minutes::golden_cross()? });
    let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await?;
    let address = acceptor.local_addr()[0].as_socket_addr().ok_or("no address")?.to_string();
    let app = Route::new().at("/", post(run)).data(bare);
    let serving = tokio::spawn(Server::new_with_acceptor(acceptor).run(app));
    ask(&address, RUNS / 4).await?;
    let started = Instant::now();
    ask(&address, RUNS).await?;
    let rate = RUNS as f64 / started.elapsed().as_secs_f64();
    serving.abort();
    Ok(rate)
}

async fn ask(address: &str, runs: usize) -> Result<(), Failure> {
    let client = reqwest::Client::new();
    let left = AtomicUsize::new(runs);
    let take = || left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
    let connection = async || -> Result<(), Failure> {
        while take().is_ok() {
            let body = json!({"strategy_id": "golden-cross", "symbol": "BTCUSDT"}).to_string();
            let request = client.post(format!("http://{address}/"));
            let request = request.header("content-type", "application/json").body(body);
            request.send().await?.error_for_status()?;
        }
        Ok(())
    };
    try_join_all((0..CONNECTIONS).map(|_| connection())).await?;
    Ok(())
}

#[handler]
async fn run(body: poem::web::Json<Value>, bare: Data<&Arc<Bare>>) -> poem::Result<String> {
    let Bare { database, candles, strategy } = &***bare;
    let failed = |error: Failure| {
        poem::Error::from_string(error.to_string(), StatusCode::INTERNAL_SERVER_ERROR)
    };
    let outcome = minutes::engine(strategy, candles).map_err(failed)?;
    let result = json!({"request": body.0, "metrics": outcome.metrics, "final_balance": outcome.final_balance});
    let trade = |trade: &domain::simulation::trade::Trade| json!({"number": trade.number, "entry": trade.entry, "exit": trade.exit, "pnl": trade.pnl});
    let trades: Vec<Value> = outcome.trades.iter().map(trade).collect();
    let client = database.get().await.map_err(InternalServerError)?;
    let sql = "INSERT INTO bare_runs (id, result, trades) VALUES ($1, $2, $3)";
    let statement = client.prepare_cached(sql).await.map_err(InternalServerError)?;
    let id = Uuid::now_v7();
    let values = client.execute(&statement, &[&id, &Json(result), &Json(trades)]).await;
    values.map_err(InternalServerError)?;
    Ok(id.to_string())
}
