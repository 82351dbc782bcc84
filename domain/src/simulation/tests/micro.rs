//! Cases of 3 to 6 candles as backtesting.py 0.6.6 fills them.

use std::collections::BTreeMap;

use rstest::rstest;

use super::*;
use crate::simulation::exact::to_f64;

/// Its kind and arguments.
type Order = (String, Map<String, Value>);

#[derive(serde::Deserialize)]
struct Case {
    name: String,
    ohlc: Vec<[f64; 4]>,
    plan: BTreeMap<String, Vec<Order>>,
    config: Value,
    result: Value,
}

/// The case's orders as rules: the plan is written into the volumes, 1 to enter and 2 to leave.
fn outcome(case: &Case) -> Outcome {
    let mut volumes = vec![0.0; case.ohlc.len()];
    let mut config = Map::new();
    for (bar, orders) in &case.plan {
        let bar: usize = bar.parse().unwrap();
        let (kind, order) = &orders[0];
        volumes[bar] = if kind == "close" { 2.0 } else { 1.0 };
        if kind == "close" {
            continue;
        }
        config.insert("direction".into(), json!(if kind == "sell" { "short" } else { "long" }));
        match order.get("size").and_then(Value::as_f64) {
            Some(size) if size < 1.0 => {
                config.insert("position_sizing".into(), json!("percent_of_equity"));
                config.insert("size".into(), json!(size * 100.0));
            }
            Some(size) => {
                config.insert("position_sizing".into(), json!("fixed_quantity"));
                config.insert("size".into(), json!(size));
            }
            None => {}
        }
        let distance = |name: &str| order.get(name).and_then(Value::as_f64);
        let close = case.ohlc[bar][3];
        for (ours, theirs) in [("stop_loss", "sl"), ("take_profit", "tp")] {
            if let Some(level) = distance(theirs) {
                config.insert(ours.into(), json!((level / close - 1.0).abs() * 100.0));
            }
        }
    }
    let rows = case.ohlc.iter().zip(volumes);
    let candles = candles(
        rows.map(|([open, high, low, close], volume)| [*open, *high, *low, *close, volume]),
    );
    let commission = &case.config["commission"];
    let (fixed, rate) = match commission.as_array() {
        Some(pair) => (pair[0].clone(), pair[1].clone()),
        None => (json!(0), commission.clone()),
    };
    let settings = settings(json!({
        "preset": "backtesting_py",
        "commission": rate,
        "commission_fixed": fixed,
        "spread_bps": case.config["spread"].as_f64().unwrap() * 1e4,
        "fill": if case.config["trade_on_close"] == json!(true) { "close" } else { "next_open" },
        "finalize": if case.config["finalize_trades"] == json!(true) { "open" } else { "leave_open" },
        "lot": 1,
    }));
    let body = json!({"entry_rules": when("volume", "==", 1), "exit_rules": when("volume", "==", 2), "config": config});
    simulate(&body, &candles, &settings).unwrap()
}

#[rstest]
fn a_case_is_filled_as_there(
    #[values(
        "market_next_open",
        "market_trade_on_close",
        "sl_hit_same_bar_as_entry",
        "sl_gap_below_fills_at_open",
        "sl_gap_at_entry_open",
        "tp_gap_above_fills_at_open",
        "sl_and_tp_same_bar_SL_wins",
        "sl_and_tp_in_entry_bar_SL_wins",
        "short_sl_and_tp_same_bar_SL_wins",
        "close_then_sl_order_priority",
        "relative_size_full_commission",
        "relative_size_spread",
        "relative_size_fixed_fee_quirk",
        "relative_size_half_fixed_fee_quirk",
        "absolute_size_too_big_is_cancelled",
        "finalize_false_leaves_open",
        "finalize_true_closes_at_last_OPEN",
        "finalize_true_trade_on_close_uses_prev_close",
        "order_on_last_bar_never_fills",
        "negative_commission_rebate"
    )]
    name: &str,
) {
    let all: Vec<Value> =
        serde_json::from_reader(testdata("backtesting_py/unit_cases.json")).unwrap();
    let case = all.into_iter().find(|case| case["name"] == name).unwrap();
    let case: Case = serde_json::from_value(case).unwrap();
    let outcome = outcome(&case);
    let ours: Vec<Value> = outcome
        .trades
        .iter()
        .filter_map(|trade| {
            let exit = trade.exit.as_ref()?;
            let sign = if trade.direction == Direction::Long { 1.0 } else { -1.0 };
            Some(json!([
                sign * to_f64(trade.entry.quantity),
                trade.entry.time / DAY_MS,
                exit.time / DAY_MS,
                to_f64(trade.entry.price),
                to_f64(exit.price),
                to_f64(trade.pnl?),
                to_f64(trade.fees()),
            ]))
        })
        .collect();
    let theirs: Vec<Value> = case.result["trades"]
        .as_array()
        .unwrap()
        .iter()
        .map(|trade| {
            json!([
                trade["size"],
                trade["entry_bar"],
                trade["exit_bar"],
                trade["entry_price"],
                trade["exit_price"],
                trade["pnl"].as_f64().map(|pnl| (pnl * 1e8).round() / 1e8),
                trade["commission"],
            ])
        })
        .collect();
    assert_eq!(ours, theirs, "{}", case.name);
    assert_eq!(json!(outcome.equity), case.result["equity"], "{}", case.name);
}
