//! `/backtests/{id}/metrics`, `/ledger`, `/trades`, `/events`.

use reqwest::StatusCode;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use tests::{TestApp, TestUser};

use crate::rest::{completed, golden_cross};

struct Finished {
    app: TestApp,
    user: TestUser,
    run: Value,
    path: String,
}

impl Finished {
    async fn new() -> Self {
        let app = TestApp::with_candles().await;
        let user = app.user().await;
        let run = completed(&app, &user, golden_cross()).await;
        let path = format!("/api/v1/backtests/{}", run["id"].as_str().unwrap());
        Self { app, user, run, path }
    }

    async fn get(&self, part: &str) -> Value {
        let reply = self.app.get(&self.user, &format!("{}/{part}", self.path)).await;
        reply.expect(StatusCode::OK)
    }

    fn trades_count(&self) -> usize {
        let count = self.run["performance_summary"]["total_trades"].as_u64().unwrap();
        usize::try_from(count).unwrap()
    }
}

fn rows(body: &Value) -> Vec<Value> {
    body["data"].as_array().cloned().unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn metrics_are_all_there_and_agree_with_the_summary() {
    let finished = Finished::new().await;
    let metrics = finished.get("metrics").await["data"].clone();
    for (name, value) in finished.run["performance_summary"].as_object().unwrap() {
        assert_eq!(&metrics[name], value, "{name}");
    }
    let total = number(&metrics["total_return"]);
    assert!((number(&metrics["total_pnl_percentage"]) - 100.0 * total).abs() < 1e-9);
    assert!(number(&metrics["max_drawdown_percentage"]) > 1.0, "in percent");
    assert!(metrics["drawdown_periods"][0]["start"].as_str().unwrap().ends_with('Z'));
    assert_eq!(metrics["ambiguous_trades_count"], 0);
}

#[tokio::test]
async fn the_ledger_adds_up_and_trades_are_its_round_trips() {
    let finished = Finished::new().await;
    let ledger = rows(&finished.get("ledger?limit=200").await);
    let trades = rows(&finished.get("trades?limit=200").await);
    assert_eq!(trades.len(), finished.trades_count());
    assert_eq!(ledger.len(), 2 * trades.len());
    assert_eq!(ledger.last().unwrap()["cash_after"], finished.run["final_balance"]);
    for (index, trade) in trades.iter().enumerate() {
        let (entry, exit) = (&ledger[2 * index], &ledger[2 * index + 1]);
        assert_eq!((&entry["side"], &exit["side"]), (&json!("buy"), &json!("sell")));
        assert_eq!((&entry["trade_id"], &exit["trade_id"]), (&trade["id"], &trade["id"]));
        assert_eq!((&entry["profit"], &exit["profit"]), (&Value::Null, &trade["pnl"]));
        assert_eq!(entry["timestamp"], trade["entry_time"]);
        assert_eq!(exit["price"], trade["exit_price"]);
        assert_eq!((&entry["shortfall"], &exit["shortfall"]), (&Value::Null, &json!("0")));
        assert_eq!((&trade["shortfall"], &trade["target_price"]), (&json!("0"), &Value::Null));
        assert!(trade["candles_count"].as_u64().unwrap() > 0);
        assert!(number(&trade["max_favorable_percentage"]) >= number(&trade["pnl_percentage"]));
    }
    let pnl: f64 = trades.iter().map(|trade| number(&trade["pnl"])).sum();
    assert!((10_000.0 + pnl - number(&finished.run["final_balance"])).abs() < 1e-6);
}

fn money(value: &Value) -> Decimal {
    value.as_str().unwrap().parse().unwrap()
}

/// A levered short of a market that rises is liquidated with less than nothing.
#[tokio::test]
async fn what_a_liquidation_loses_beyond_all_cash_is_in_ledger_trades_and_events() {
    let app = TestApp::with_candles().await;
    let user = app.user().await;
    let always = json!({"operator": "and", "conditions": [{"indicator": "close", "comparator": ">", "value": 0}]});
    let strategy = json!({
        "name": "Always short", "entry_rules": always, "config": {"direction": "short", "stop_loss": 900},
    });
    let strategy = app.post(&user, "/api/v1/strategies", strategy).await;
    let strategy = strategy.expect(StatusCode::CREATED)["data"]["id"].clone();
    let body = json!({
        "strategy_id": strategy, "symbol": "BTCUSDT", "start_time": "2020-10-01", "end_time": "2021-04-01",
        "metadata": {"leverage": 20, "maintenance_margin": 0},
    });
    let run = completed(&app, &user, body).await;
    let path = format!("/api/v1/backtests/{}", run["id"].as_str().unwrap());
    let finished = Finished { app, user, run, path };

    let sum = |rows: &[Value], name: &str| -> Decimal {
        rows.iter().filter(|row| !row[name].is_null()).map(|row| money(&row[name])).sum()
    };
    let ledger = rows(&finished.get("ledger?limit=200").await);
    let trades = rows(&finished.get("trades?limit=200").await);
    let shortfall = sum(&ledger, "shortfall");
    assert!(shortfall > Decimal::ZERO, "{ledger:?}");
    let initial = Decimal::from(10_000);
    let balance = money(&finished.run["final_balance"]);
    assert_eq!(initial + sum(&ledger, "profit") + shortfall, balance);
    assert_eq!(initial + sum(&trades, "pnl") + sum(&trades, "shortfall"), balance);
    let closed = finished.get("events?event_type=LedgerClosed").await;
    let payload = &closed["data"][0]["payload"];
    assert_eq!(
        (&closed["data"][0]["version"], money(&payload["total_shortfall"])),
        (&json!("2.0"), shortfall)
    );
    let completed = finished.get("events?event_type=BacktestCompleted").await;
    let metrics = &completed["data"][0]["payload"]["metrics"];
    assert!((0.9..=1.0).contains(&metrics["max_drawdown_fraction"].as_f64().unwrap()), "{metrics}");
    assert!(metrics.get("max_drawdown_percentage").is_none());
}

#[tokio::test]
async fn trades_are_filtered_by_side_and_result_and_paged() {
    let finished = Finished::new().await;
    let wins = finished.get("trades?result=win").await["meta"]["total"].clone();
    let losses = finished.get("trades?result=loss").await["meta"]["total"].clone();
    assert_eq!(wins, finished.run["performance_summary"]["winning_trades"]);
    assert_eq!(losses, finished.run["performance_summary"]["losing_trades"]);
    assert_eq!(finished.get("trades?side=short").await["meta"]["total"], 0);
    let mut seen = Vec::new();
    let mut page = finished.get("trades?limit=2").await;
    loop {
        seen.extend(rows(&page).iter().map(|trade| trade["number"].as_u64().unwrap()));
        let Some(cursor) = page["meta"]["next_cursor"].as_str() else { break };
        page = finished.get(&format!("trades?limit=2&cursor={cursor}")).await;
    }
    assert_eq!(seen, (1..=finished.trades_count() as u64).collect::<Vec<_>>());
}

#[tokio::test]
async fn events_tell_the_run_from_request_to_end() {
    let finished = Finished::new().await;
    let events = rows(&finished.get("events?limit=200").await);
    let types: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(types[..3], ["BacktestRequested", "BacktestClaimed", "BacktestStarted"]);
    for name in ["LedgerOpened", "TradeOpened", "TradeClosed", "LedgerClosed"] {
        assert!(types.contains(&name), "{name}");
    }
    assert_eq!(types.last(), Some(&"BacktestCompleted"));
    let positions: Vec<i64> =
        events.iter().map(|event| event["position"].as_i64().unwrap()).collect();
    assert!(positions.is_sorted());
    let closed = finished.get("events?event_type=TradeClosed").await;
    assert_eq!(rows(&closed).len(), finished.trades_count().min(20));
}
