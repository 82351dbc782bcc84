//! `/metrics`: the figures are those of what happened.

use reqwest::StatusCode;
use serde_json::json;
use tests::ANYONE;

use super::fleet::{Fleet, Ship, until};

/// One scrape.
struct Scrape(String);

impl Scrape {
    async fn of(ship: &Ship) -> Self {
        let reply = ship.remote.get(&ANYONE, "/metrics").await;
        assert_eq!(reply.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
        Self(reply.text)
    }

    /// The sum over the series of that name with these labels; none when there is none.
    fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let is_it = |series: &str| {
            let (found, rest) = series.split_once('{').unwrap_or((series, ""));
            let has =
                |(label, value): &(&str, &str)| rest.contains(&format!("{label}=\"{value}\""));
            found == name && labels.iter().all(has)
        };
        let lines = self.0.lines().filter(|line| !line.starts_with('#'));
        let series = lines.filter_map(|line| line.rsplit_once(' '));
        let values: Vec<f64> = series
            .filter(|(series, _)| is_it(series))
            .map(|(_, value)| value.parse().unwrap())
            .collect();
        (!values.is_empty()).then(|| values.iter().sum())
    }
}

#[tokio::test]
async fn a_scrape_after_a_run_tells_what_happened() {
    let fleet = Fleet::start().await;
    fleet.import_days();
    let (projector, executor) = (fleet.serve("projector"), fleet.serve("executor"));
    let (api, reaper) = (fleet.serve("api"), fleet.serve("reaper"));
    api.until_ready("api").await;
    reaper.until_ready("reaper").await;
    let user = api.remote.user().await;
    let body = json!({"strategy_id": "golden-cross", "symbol": "BTCUSDT"});
    let asked = api.remote.post(&user, "/api/v1/backtests", body).await;
    let id = asked.expect(StatusCode::ACCEPTED)["data"]["id"].as_str().unwrap().to_owned();
    until(async || {
        let run = api.remote.get(&user, &format!("/api/v1/backtests/{id}")).await;
        (run.expect(StatusCode::OK)["data"]["status"] == "completed").then_some(())
    })
    .await;
    // The row of the queue goes after the run has ended.
    until(async || {
        let scrape = Scrape::of(&executor).await;
        (scrape.value("backtrail_runs_running", &[]) == Some(0.0)).then_some(())
    })
    .await;

    let head = fleet.select::<i64>("SELECT max(position) FROM events").await.unwrap() as f64;
    let (of_api, of_executor) = (Scrape::of(&api).await, Scrape::of(&executor).await);
    let one = Some(1.0);
    let completed = [("kind", "backtest"), ("outcome", "completed")];
    assert_eq!(of_executor.value("backtrail_run_seconds_count", &completed), one);
    for kind in ["backtest", "sweep"] {
        assert_eq!(of_executor.value("backtrail_runs_waiting", &[("kind", kind)]), Some(0.0));
    }
    for name in ["backtrail_claim_conflicts_total", "backtrail_lease_expiries_total"] {
        assert_eq!(of_executor.value(name, &[]), Some(0.0), "{name}");
    }
    // Every event was in one of the two's groups, and every group waited for the lock, if not for long.
    let mut events = 0.0;
    for scrape in [&of_api, &of_executor] {
        let count = |name: &str| scrape.value(&format!("{name}_count"), &[]).unwrap();
        assert_eq!(count("backtrail_append_seconds"), count("backtrail_append_lock_wait_seconds"));
        assert_eq!(count("backtrail_append_seconds"), count("backtrail_append_group_events"));
        events += scrape.value("backtrail_append_group_events_sum", &[]).unwrap();
    }
    assert_eq!(events, head);
    let posted = [("method", "POST"), ("route", "/api/v1/backtests"), ("status", "202")];
    assert_eq!(of_api.value("backtrail_http_requests_total", &posted), one);
    let read = [("method", "GET"), ("route", "/api/v1/backtests/{id}")];
    let reads = of_api.value("backtrail_http_request_seconds_count", &read);
    assert!(reads >= one, "{}", of_api.0);
    assert_eq!(reads, of_api.value("backtrail_http_requests_total", &read));
    assert_eq!(
        of_api.value("backtrail_build_info", &[("version", env!("CARGO_PKG_VERSION"))]),
        one
    );
    assert!(of_api.value("backtrail_pool_connections", &[("pool", "append")]) >= one);
    for secret in [user.id.as_str(), user.email.as_str(), user.token.as_deref().unwrap(), &id] {
        assert!(!of_api.0.contains(secret), "{secret}");
    }

    until(async || {
        let scrape = Scrape::of(&projector).await;
        (scrape.value("backtrail_read_model_lag_events", &[]) == Some(0.0)).then_some(())
    })
    .await;
    let scrape = Scrape::of(&projector).await;
    let trades = [("read_model", "trades")];
    assert_eq!(scrape.value("backtrail_read_model_position", &trades), Some(head));
    assert_eq!(scrape.value("backtrail_log_position", &[]), Some(head));
    assert_eq!(scrape.value("backtrail_database_up", &[]), one);
    let leads = [("role", "reaper")];
    until(async || {
        let scrape = Scrape::of(&reaper).await;
        (scrape.value("backtrail_leader", &leads) == one).then_some(())
    })
    .await;
}
