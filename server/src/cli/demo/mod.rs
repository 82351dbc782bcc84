//! `backtrail demo`: a backtest on real candles from start to finish, through the real HTTP API.

mod client;
mod text;

use std::{io::ErrorKind, time::Duration};

use anyhow::{Context, bail};
use infra::{clock::Clock, postgres::market_data::CandleStore};
use serde_json::{Value, json};
use tokio::sync::watch;

use self::client::Client;
use crate::{
    app::{self, App},
    config::Config,
    output,
    roles::Roles,
    sample, signals,
};

/// How often the run is polled.
const POLL: Duration = Duration::from_millis(40);
/// A run of some thousand candles that takes longer than this is stuck.
const RUN_BOUND: Duration = Duration::from_secs(120);

/// Run a real backtest on eight years of real candles and show what happened.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  backtrail demo\n  backtrail demo --once")]
pub(super) struct Arguments {
    /// Exit after the run instead of serving until Ctrl-C.
    #[arg(long)]
    once: bool,
}

pub(super) async fn run(config: &Config, arguments: &Arguments) -> anyhow::Result<()> {
    let mut stop = signals::watch_for_stop()?;
    output::line(&text::title("Backtrail demo: a real backtest, from command to read model"))?;
    let mut app = start(config).await?;
    let scene = Scene::of(&app)?;
    let shown = tokio::select! {
        shown = scene.show(arguments.once) => shown.map(|()| true),
        () = signals::stopped(&mut stop) => Ok(false),
        error = app.failed() => Err(error),
    };
    let served = match shown {
        Ok(true) if !arguments.once => serve_on(&mut app, &mut stop).await,
        other => other.map(|_| ()),
    };
    let ended = app.shutdown().await;
    served.and(ended)
}

/// Starts everything; on another port if the default one is taken.
async fn start(config: &Config) -> anyhow::Result<App> {
    match app::start(config, &Roles::all(), Clock::system()).await {
        Err(error) if is_address_in_use(&error) => {
            let listen = "127.0.0.1:0".to_owned();
            let http = crate::config::HttpConfig { listen, ..config.http.clone() };
            app::start(&Config { http, ..config.clone() }, &Roles::all(), Clock::system()).await
        }
        started => started,
    }
}

fn is_address_in_use(error: &anyhow::Error) -> bool {
    let io_error = error.chain().find_map(|cause| cause.downcast_ref::<std::io::Error>());
    io_error.is_some_and(|error| error.kind() == ErrorKind::AddrInUse)
}

async fn serve_on(app: &mut App, stop: &mut watch::Receiver<bool>) -> anyhow::Result<()> {
    output::line("\nServing until Ctrl-C.")?;
    tokio::select! {
        () = signals::stopped(stop) => Ok(()),
        error = app.failed() => Err(error),
    }
}

/// What the demonstration needs of the running service.
struct Scene {
    base: String,
    database: String,
    candles: CandleStore,
}

impl Scene {
    fn of(app: &App) -> anyhow::Result<Self> {
        let address = app.address();
        Ok(Self {
            base: format!("http://{address}"),
            database: app.database_description(),
            candles: app.context().candles.clone(),
        })
    }

    /// Runs the demonstration over HTTP, except for the import of the candles.
    async fn show(self, once: bool) -> anyhow::Result<()> {
        let base = &self.base;
        let rows = [
            ("PostgreSQL", self.database.clone()),
            ("HTTP API", format!("listening on {base}")),
            ("Roles", Roles::all().names()),
            ("Candles", self.import().await?),
        ];
        output::line(&text::rows("What runs", &rows))?;

        let client = Client::sign_up(base).await?;
        let strategy = client.post("/strategies", &strategy_body()).await?;
        output::line(&text::strategy(&strategy))?;

        output::line(&text::heading("The run"))?;
        let mut body =
            json!({ "symbol": sample::SYMBOL, "timeframe": "1d", "initial_balance": "10000" });
        body["strategy_id"] = strategy["id"].clone();
        let id = request_and_follow(&client, &body, "golden cross").await?;
        body["strategy_id"] = "buy-and-hold".into();
        let held = request_and_follow(&client, &body, "buy and hold").await?;
        show_results(&client, &id, &held).await?;
        Ok(output::line(&text::curl(base, client.token(), &id, once))?)
    }

    /// Imports the sample candles; the second time nothing is written.
    async fn import(&self) -> anyhow::Result<String> {
        let (symbol, parsed) = sample::read()?;
        let bar = output::progress_bar(parsed.candles.len() as u64, "importing candles");
        let progress = |done: usize| bar.set_position(done as u64);
        let (timeframe, candles) = (parsed.timeframe, &parsed.candles);
        self.candles.import(&symbol, timeframe, candles, None, progress).await?;
        bar.finish_and_clear();
        let times = &candles.open_time;
        let (Some(first), Some(last)) = (times.first(), times.last()) else {
            bail!("the sample candles are empty");
        };
        let count = text::thousands(&times.len().to_string());
        Ok(format!(
            "{symbol} {timeframe}: {count} from {} to {}",
            text::day(*first),
            text::day(*last)
        ))
    }
}

async fn show_results(client: &Client, id: &str, held: &str) -> anyhow::Result<()> {
    let backtest = client.get(&format!("/backtests/{id}")).await?;
    let metrics = client.get(&format!("/backtests/{id}/metrics")).await?;
    let held_backtest = client.get(&format!("/backtests/{held}")).await?;
    let held_metrics = client.get(&format!("/backtests/{held}/metrics")).await?;
    output::line(&text::metrics(&[(&backtest, &metrics), (&held_backtest, &held_metrics)]))?;
    output::line(&text::warnings(&backtest))?;
    let ledger = client.all(&format!("/backtests/{id}/ledger")).await?;
    output::line(&text::ledger(&ledger))?;
    let equity = client.get(&format!("/backtests/{id}/equity?max_points=72")).await?;
    output::line(&text::equity(&equity))?;
    let events = client.all(&format!("/backtests/{id}/events")).await?;
    Ok(output::line(&text::events(&events))?)
}

fn strategy_body() -> Value {
    json!({
        "name": "Golden cross of the demo",
        "description": "Long while the 50-day average is above the 200-day average.",
        "entry_rules": {"operator": "and", "conditions": [
            {"indicator": "sma($short_window)", "comparator": "crosses_above", "value": "sma($long_window)"}]},
        "exit_rules": {"operator": "and", "conditions": [
            {"indicator": "sma($short_window)", "comparator": "crosses_below", "value": "sma($long_window)"}]},
        "default_parameters": {"short_window": 50, "long_window": 200},
    })
}

/// Requests a run and shows its progress until it ends. Returns its id.
async fn request_and_follow(client: &Client, body: &Value, name: &str) -> anyhow::Result<String> {
    let requested = client.post("/backtests", body).await?;
    let id = requested["id"].as_str().context("the response has no id")?.to_owned();
    let bar = output::progress_bar(100, name);
    let mut seen = Vec::new();
    let started = tokio::time::Instant::now();
    loop {
        let backtest = client.get(&format!("/backtests/{id}")).await?;
        let status = backtest["status"].as_str().unwrap_or_default().to_owned();
        bar.set_position(backtest["progress"].as_u64().unwrap_or(0));
        if seen.last() != Some(&status) {
            seen.push(status.clone());
        }
        match status.as_str() {
            "completed" => break,
            "pending" | "running" if started.elapsed() < RUN_BOUND => {}
            _ => bail!("the run of {name} is {status}: {}", backtest["error"]),
        }
        tokio::time::sleep(POLL).await;
    }
    bar.finish_and_clear();
    let took = started.elapsed().as_millis();
    let statuses = seen.join(" > ");
    output::line(&format!("  {name:<12} {id}\n               {statuses} in {took} ms"))?;
    Ok(id)
}
