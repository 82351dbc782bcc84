//! Forty runs of backtesting.py 0.6.6, trade by trade, candle by candle, metric by metric.

use flate2::read::GzDecoder;
use rstest::rstest;

use super::*;
use crate::simulation::exact::to_f64;

#[derive(serde::Deserialize)]
struct TradeRow {
    side: Direction,
    size: f64,
    entry_bar: usize,
    exit_bar: usize,
    entry_price: f64,
    exit_price: f64,
    pnl: f64,
    commission: f64,
}

fn close_to(ours: f64, theirs: f64, tolerance: f64) -> bool {
    (ours - theirs).abs() <= tolerance * theirs.abs().max(1.0)
}

fn rule(left: impl Into<String>, comparator: &str, right: impl Into<Value>) -> Value {
    let (left, right) = (left.into(), right.into());
    json!({"operator": "and", "conditions": [{"indicator": left, "comparator": comparator, "value": right}]})
}

fn crossing(left: String, right: String) -> Value {
    json!({"entry_rules": rule(left.clone(), "crosses_above", right.clone()),
           "exit_rules": rule(left, "crosses_below", right)})
}

/// The strategies of `testdata/backtesting_py/strategies.py` that enter at market, one trade at a time.
pub(super) fn body(reference: &Value) -> Value {
    let parameters = &reference["strategy_params"];
    let percent = |name: &str| percent(parameters, name);
    let sma = |name: &str| format!("sma({})", parameters[name]);
    let (config, mut body) = match reference["strategy"].as_str().unwrap() {
        "SmaCross" => {
            let size = parameters["size"].as_f64().map(|size| size * 100.0);
            let sizing = size.map(|_| "percent_of_equity");
            let config = json!({"position_sizing": sizing, "size": size});
            (config, crossing(sma("short"), sma("long")))
        }
        "SmaCrossLS" => {
            let body = json!({"entry_rules": rule(sma("short"), "crosses_above", sma("long")),
                "short_entry_rules": rule(sma("short"), "crosses_below", sma("long")),
                "short_exit_rules": rule("close", "<", 0)});
            (json!({"direction": "both", "position_mode": "exclusive"}), body)
        }
        "RsiMR" => {
            let rsi = format!("rsi({})", parameters["period"]);
            let body = json!({"entry_rules": rule(rsi.clone(), "<", parameters["lower"].clone()),
                "exit_rules": rule(rsi, ">", parameters["upper"].clone())});
            (json!({"stop_loss": percent("sl"), "take_profit": percent("tp")}), body)
        }
        "MacdCross" => {
            let [fast, slow, signal] = ["fast", "slow", "signal"].map(|name| &parameters[name]);
            let macd = |output: &str| format!("macd({fast}, {slow}, {signal}).{output}");
            (json!({}), crossing(macd("macd"), macd("signal")))
        }
        "BollBreak" => {
            let bands = |output: &str| {
                format!("bbands({}, {}).{output}", parameters["period"], parameters["dev"])
            };
            let body = json!({"entry_rules": rule("close", ">", bands("upper")),
                "exit_rules": rule("close", "<", bands("middle"))});
            (json!({}), body)
        }
        other => resting_or_managed(other, parameters),
    };
    body["config"] = config;
    body
}

/// Those with resting entries, trailing stops or several trades: config and rules.
fn resting_or_managed(name: &str, parameters: &Value) -> (Value, Value) {
    let percent = |name: &str| percent(parameters, name);
    match name {
        "DonchianStop" => {
            let highest = format!("highest(high, {})", parameters["n_in"]);
            let lowest = format!("lowest(low, {})[1]", parameters["n_out"]);
            let body = json!({"entry_rules": rule(highest.clone(), ">", "close"),
                "exit_rules": rule("close", "<=", lowest)});
            let config =
                json!({"entry_order": "stop", "entry_price": highest, "stop_loss": percent("sl")});
            (config, body)
        }
        "LimitDip" => {
            let config = json!({"entry_order": "limit", "entry_offset": percent("dip"),
                "stop_loss": percent("sl"), "take_profit": percent("tp")});
            (config, json!({"entry_rules": rule("close", ">", "sma(20)")}))
        }
        "TrailPct" => {
            let sma = |name: &str| format!("sma({})", parameters[name]);
            let body = json!({"entry_rules": rule(sma("short"), "crosses_above", sma("long"))});
            (json!({"trailing_stop": percent("trail")}), body)
        }
        "Pyramid" => {
            let rsi = format!("rsi({})", parameters["period"]);
            let config = json!({"position_sizing": "percent_of_equity", "size": 30, "max_entries": 5,
                "partial_exit_rules": rule(rsi.clone(), ">", 60), "partial_exit_size": 50});
            let body = json!({"entry_rules": rule(rsi.clone(), "<", 40), "exit_rules": rule(rsi, ">", 75)});
            (config, body)
        }
        other => panic!("{other}"),
    }
}

/// A fraction above 0 as percent, else null.
fn percent(parameters: &Value, name: &str) -> Value {
    let fraction = parameters[name].as_f64().filter(|fraction| *fraction > 0.0);
    json!(fraction.map(|fraction| fraction * 100.0))
}

pub(super) fn metadata(reference: &Value) -> Value {
    let config = &reference["config"];
    let commission = &config["commission"];
    let (fixed, rate) = match commission.as_array() {
        Some(pair) => (pair[0].clone(), pair[1].clone()),
        None => (json!(0), commission.clone()),
    };
    let lot = reference["fractional_unit"].as_f64().unwrap_or(1.0);
    json!({
        "preset": "backtesting_py",
        "commission": rate,
        "commission_fixed": fixed,
        "leverage": 1.0 / config["margin"].as_f64().unwrap(),
        "spread_bps": config["spread"].as_f64().unwrap() * 1e4,
        "fill": if config["trade_on_close"] == json!(true) { "close" } else { "next_open" },
        "finalize": if config["finalize_trades"] == json!(true) { "open" } else { "leave_open" },
        "lot": lot,
    })
}

fn metrics_agree(name: &str, reference: &Value, metrics: &metrics::Metrics) {
    let percent = |value: Option<f64>| value.map(|value| value * 100.0);
    let (theirs, more) = (&reference["metrics"], &reference["extra_metrics"]);
    let (empyrical, quantstats) = (&more["empyrical"], &more["quantstats"]);
    let shared = [
        (percent(metrics.exposure), &theirs["Exposure Time [%]"]),
        (percent(metrics.total_return), &theirs["Return [%]"]),
        (percent(metrics.buy_and_hold_return), &theirs["Buy & Hold Return [%]"]),
        (percent(metrics.annual_return), &theirs["Return (Ann.) [%]"]),
        (percent(metrics.cagr), &theirs["CAGR [%]"]),
        (metrics.sharpe_geometric, &theirs["Sharpe Ratio"]),
        (metrics.calmar_ratio, &theirs["Calmar Ratio"]),
        (percent(metrics.alpha), &theirs["Alpha [%]"]),
        (metrics.beta, &theirs["Beta"]),
        (
            percent(metrics.max_drawdown_percentage.map(|value| -value)),
            &theirs["Max. Drawdown [%]"],
        ),
        (percent(metrics.win_rate), &theirs["Win Rate [%]"]),
        (percent(metrics.best_trade), &theirs["Best Trade [%]"]),
        (percent(metrics.worst_trade), &theirs["Worst Trade [%]"]),
        (percent(metrics.average_trade), &theirs["Avg. Trade [%]"]),
        (metrics.profit_factor_percent, &theirs["Profit Factor"]),
        (percent(metrics.expectancy), &theirs["Expectancy [%]"]),
        (metrics.sqn, &theirs["SQN"]),
        (metrics.kelly, &theirs["Kelly Criterion"]),
        (metrics.max_holding_seconds, &theirs["Max. Trade Duration"]),
        (metrics.sharpe_ratio, &empyrical["sharpe"]),
        (metrics.sortino_ratio, &empyrical["sortino"]),
        (metrics.volatility, &empyrical["annual_volatility"]),
        (metrics.omega, &empyrical["omega"]),
        (metrics.tail_ratio, &empyrical["tail_ratio"]),
        (metrics.ulcer_index, &quantstats["ulcer"]),
        (metrics.value_at_risk, &quantstats["value_at_risk"]),
        (metrics.conditional_value_at_risk, &quantstats["cvar"]),
        (metrics.skew, &quantstats["skew"]),
        (metrics.kurtosis, &quantstats["kurtosis"]),
    ];
    for (index, (ours, theirs)) in shared.into_iter().enumerate() {
        let Some(theirs) = theirs.as_f64() else { continue };
        let ours =
            ours.unwrap_or_else(|| panic!("{name}: metric {index} is undefined, not {theirs}"));
        let tolerance = match (name, index) {
            // Two thousand lots a trade: a ledger of 8 decimals moves the spread of its pnl by 2e-10.
            ("BTCUSDT_1d.sma_cross_10_30.commission_fixed5_rel10bp", _) => 1e-8,
            // Halved down to single lots, whose pnl of 8 decimals makes a return of 4 digits.
            ("BTCUSDT_1d.pyramid_rsi", 11..=15) => 1e-4,
            _ => 1e-9,
        };
        assert!(
            close_to(ours, theirs, tolerance),
            "{name}: metric {index} is {ours}, not {theirs}"
        );
    }
    assert_eq!(f64::from(metrics.total_trades), theirs["# Trades"].as_f64().unwrap(), "{name}");
}

fn agree(name: &str) {
    let run_file = |suffix: &str| testdata(&format!("backtesting_py/{name}.{suffix}"));
    let reference: Value = serde_json::from_reader(run_file("metrics.json")).unwrap();
    let candles = candles_of(name.split('.').next().unwrap());
    let settings = settings(metadata(&reference));
    let lot = settings.lot.unwrap();
    let outcome = run(
        &Input {
            strategy: &strategy(&body(&reference)),
            candles: &candles,
            range_start: 0,
            fine: None,
            initial_balance: Decimal::from(10_000),
            lot,
            timeframe: Timeframe::OneDay,
            market_kind: None,
            settings: &settings,
        },
        &mut (),
    )
    .unwrap();
    assert_eq!(json!(outcome.first_evaluated), reference["first_next_bar"], "{name}");

    let mut theirs: Vec<TradeRow> = csv::Reader::from_reader(run_file("trades.csv"))
        .into_deserialize()
        .map(Result::unwrap)
        .collect();
    // Theirs are in the order of their exits, a part after the whole that it was a part of.
    let index = |time: i64| candles.open_time.binary_search(&time).unwrap();
    let exit = |trade: &Trade| trade.exit.as_ref().map(|exit| index(exit.time));
    let mut closed: Vec<&Trade> =
        outcome.trades.iter().filter(|trade| trade.exit.is_some()).collect();
    closed.sort_by_key(|trade| (exit(trade), index(trade.entry.time)));
    theirs.sort_by_key(|row| (row.exit_bar, row.entry_bar));
    assert_eq!(closed.len(), theirs.len(), "{name}");
    for (ours, theirs) in closed.into_iter().zip(&theirs) {
        let exit = ours.exit.as_ref().unwrap();
        let at = format!("{name}: trade {}", ours.number);
        let quantity = to_f64(ours.entry.quantity);
        assert_eq!(ours.direction, theirs.side, "{at}");
        assert_eq!(ours.entry.time, candles.open_time[theirs.entry_bar], "{at}");
        assert_eq!(exit.time, candles.open_time[theirs.exit_bar], "{at}");
        for (ours, theirs) in
            [(ours.entry.price, theirs.entry_price), (exit.price, theirs.exit_price)]
        {
            let ours = to_f64(ours);
            assert!((ours - theirs).abs() <= 1e-9 * theirs, "{at}: {ours}, not {theirs}");
        }
        let tolerance = (to_f64(lot) * (1.0 + 1e-6)).max(1e-9 * theirs.size.abs());
        let size = theirs.size.abs();
        assert!((quantity - size).abs() <= tolerance, "{at}: {quantity}, not {size}");
        for (ours, theirs) in [(ours.pnl.unwrap(), theirs.pnl), (ours.fees(), theirs.commission)] {
            let ours = to_f64(ours);
            assert!(close_to(ours, theirs, 1e-6), "{at}: {ours}, not {theirs}");
        }
    }

    let equity = csv::Reader::from_reader(GzDecoder::new(run_file("equity.csv.gz")));
    let equity: Vec<f64> =
        equity.into_deserialize::<(i64, f64, f64)>().map(|row| row.unwrap().1).collect();
    assert_eq!(outcome.equity.len(), equity.len(), "{name}");
    for (index, (ours, theirs)) in outcome.equity.iter().zip(&equity).enumerate() {
        assert!(close_to(*ours, *theirs, 1e-9), "{name}: equity {index}: {ours}, not {theirs}");
    }
    metrics_agree(name, &reference, &outcome.metrics);
}

#[rstest]
fn a_run_agrees_with_backtesting_py(
    #[values("BTCUSDT_1d", "GOOG_1d")] market: &str,
    #[values(
        "sma_cross_50_200",
        "sma_cross_10_30.commission_fixed5_rel10bp",
        "sma_cross_10_30.no_commission",
        "sma_cross_10_30.not_finalized",
        "sma_cross_10_30.size_30pct",
        "sma_cross_10_30.spread_5bp",
        "sma_cross_10_30.trade_on_close",
        "rsi_mr_14_30_70_sl5_tp10",
        "rsi_mr_14_30_70_sl5_tp10.toc",
        "rsi_mr_14_40_60_nosltp",
        "rsi_mr_14_40_60_sl2_tp3",
        "macd_cross_12_26_9",
        "bollinger_breakout_20_2",
        "donchian_stop_20_10_sl8",
        "limit_dip_2_tp3_sl4",
        "pyramid_rsi",
        "sma_cross_ls_10_30.exclusive",
        "sma_cross_ls_10_30.exclusive_margin_0.5",
        "sma_cross_ls_10_30.exclusive_toc",
        "trail_20_50_8pct"
    )]
    case: &str,
) {
    agree(&format!("{market}.{case}"));
}
