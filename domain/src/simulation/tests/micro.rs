//! All 36 cases of 3 to 6 candles as backtesting.py 0.6.6 fills them, order by order.

use std::sync::Arc;

use super::*;
use crate::simulation::{
    engine::{Action, Engine, IntrabarPriority, Plan},
    exact::to_f64,
    indicators::IndicatorCall,
    rules::PositionMode,
    rules::signals::RuleSignals,
};

#[derive(serde::Deserialize)]
struct Case {
    name: String,
    ohlc: Vec<[f64; 4]>,
    plan: std::collections::BTreeMap<usize, Vec<(String, Value)>>,
    config: Value,
    result: Value,
}

/// The calls of the case's strategy, by candle.
fn plan(case: &Case) -> Plan {
    let action = |(call, argument): &(String, Value)| {
        let number = |name: &str| argument[name].as_f64();
        match call.as_str() {
            "close" => Action::Close { portion: number("portion").filter(|part| *part < 1.0) },
            "sl" => Action::MoveStop(argument.as_f64().unwrap()),
            side => Action::Order {
                direction: if side == "sell" { Direction::Short } else { Direction::Long },
                size: number("size"),
                limit: number("limit"),
                stop: number("stop"),
                stop_loss: number("sl"),
                take_profit: number("tp"),
            },
        }
    };
    let calls = case.plan.iter();
    calls.map(|(candle, calls)| (*candle, calls.iter().map(action).collect())).collect()
}

fn outcome(case: &Case) -> Outcome {
    let rows = case.ohlc.iter().map(|[open, high, low, close]| [*open, *high, *low, *close, 0.0]);
    let candles = candles(rows);
    let commission = &case.config["commission"];
    let (fixed, rate) = match commission.as_array() {
        Some(pair) => (pair[0].clone(), pair[1].clone()),
        None => (json!(0), commission.clone()),
    };
    let is = |name: &str| case.config[name] == json!(true);
    let settings = settings(json!({
        "preset": "backtesting_py",
        "commission": rate,
        "commission_fixed": fixed,
        "spread_bps": case.config["spread"].as_f64().unwrap() * 1e4,
        "leverage": 1.0 / case.config["margin"].as_f64().unwrap(),
        "fill": if is("trade_on_close") { "close" } else { "next_open" },
        "finalize": if is("finalize_trades") { "open" } else { "leave_open" },
        "lot": 1,
    }));
    let mut strategy = strategy(&json!({"entry_rules": when("close", ">", 0)}));
    strategy.config.position_mode = match (is("hedging"), is("exclusive_orders")) {
        (true, _) => PositionMode::Hedging,
        (_, true) => PositionMode::Exclusive,
        (false, false) => PositionMode::Single,
    };
    let compute = |call: &IndicatorCall| Ok::<_, SimulationError>(Arc::new(call.compute(&candles)));
    let rules = RuleSignals::evaluate(&strategy, &candles, compute).unwrap();
    let mut observer = ();
    let input = input(&strategy, &candles, &settings);
    let mut engine =
        Engine::try_new(input, &rules, &mut observer, IntrabarPriority::StopFirst).unwrap();
    engine.walk_plan(&plan(case)).unwrap();
    engine.outcome(1, 0).unwrap()
}

#[test]
fn every_case_is_filled_as_there() {
    let cases: Vec<Case> =
        serde_json::from_reader(testdata("backtesting_py/unit_cases.json")).unwrap();
    assert_eq!(cases.len(), 36);
    for case in cases {
        let outcome = outcome(&case);
        if case.result["error"].is_string() {
            assert!(outcome.trades.is_empty() && outcome.rejections.len() == 1, "{}", case.name);
            continue;
        }
        assert_eq!(ours(&outcome), theirs(&case), "{}", case.name);
        assert_eq!(json!(outcome.equity), case.result["equity"], "{}", case.name);
        let left = case.result["final"].as_f64().unwrap();
        assert!((to_f64(outcome.final_balance) - left).abs() < 1e-6, "{}", case.name);
    }
}

/// Size, candles and prices of entry and exit, pnl and fees of each closed trade, in order of their exits.
fn ours(outcome: &Outcome) -> Vec<Value> {
    let trades = outcome.trades.iter();
    let mut rows: Vec<Value> = trades
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
    rows.sort_by_key(|row| row[2].as_i64());
    rows
}

fn theirs(case: &Case) -> Vec<Value> {
    let trades = case.result["trades"].as_array().unwrap();
    trades
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
        .collect()
}
