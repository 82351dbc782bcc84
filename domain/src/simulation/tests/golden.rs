//! Twenty-six runs of backtesting.py 0.6.6, trade by trade, candle by candle, metric by metric.

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

/// The strategies of `testdata/backtesting_py/strategies.py`.
pub(super) fn body(reference: &Value) -> Value {
    let parameters = &reference["strategy_params"];
    let percent = |name: &str| match parameters[name].as_f64() {
        Some(fraction) if fraction > 0.0 => json!(fraction * 100.0),
        _ => Value::Null,
    };
    let rule = |left: String, comparator: &str, right: Value| json!({"operator": "and", "conditions": [{"indicator": left, "comparator": comparator, "value": right}]});
    let crossing = |left: String, right: String| {
        json!({"entry_rules": rule(left.clone(), "crosses_above", json!(right)),
               "exit_rules": rule(left, "crosses_below", json!(right))})
    };
    let mut config = Map::new();
    let mut body = match reference["strategy"].as_str().unwrap() {
        "SmaCross" => {
            if let Some(size) = parameters["size"].as_f64() {
                config.insert("position_sizing".into(), json!("percent_of_equity"));
                config.insert("size".into(), json!(size * 100.0));
            }
            let sma = |name: &str| format!("sma({})", parameters[name]);
            crossing(sma("short"), sma("long"))
        }
        "RsiMR" => {
            config.insert("stop_loss".into(), percent("sl"));
            config.insert("take_profit".into(), percent("tp"));
            let rsi = format!("rsi({})", parameters["period"]);
            json!({"entry_rules": rule(rsi.clone(), "<", parameters["lower"].clone()),
                   "exit_rules": rule(rsi, ">", parameters["upper"].clone())})
        }
        "MacdCross" => {
            let [fast, slow, signal] = ["fast", "slow", "signal"].map(|name| &parameters[name]);
            let macd = |output: &str| format!("macd({fast}, {slow}, {signal}).{output}");
            crossing(macd("macd"), macd("signal"))
        }
        "BollBreak" => {
            let bands = |output: &str| {
                json!(format!("bbands({}, {}).{output}", parameters["period"], parameters["dev"]))
            };
            json!({"entry_rules": rule("close".into(), ">", bands("upper")),
                   "exit_rules": rule("close".into(), "<", bands("middle"))})
        }
        other => panic!("{other}"),
    };
    body["config"] = Value::Object(config);
    body
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
        // Two thousand lots a trade: a ledger of 8 decimals moves the spread of its pnl by 2e-10.
        let is_tiny = name == "BTCUSDT_1d.sma_cross_10_30.commission_fixed5_rel10bp";
        let tolerance = if is_tiny { 1e-8 } else { 1e-9 };
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
            initial_balance: Decimal::from(10_000),
            lot,
            timeframe: Timeframe::OneDay,
            settings: &settings,
        },
        &mut (),
    )
    .unwrap();
    assert_eq!(json!(outcome.first_evaluated), reference["first_next_bar"], "{name}");

    let theirs: Vec<TradeRow> = csv::Reader::from_reader(run_file("trades.csv"))
        .into_deserialize()
        .map(Result::unwrap)
        .collect();
    let closed: Vec<&Trade> = outcome.trades.iter().filter(|trade| trade.exit.is_some()).collect();
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
        "bollinger_breakout_20_2"
    )]
    case: &str,
) {
    agree(&format!("{market}.{case}"));
}
