//! What holds for every kind of order, protection and margin, over any candles: money adds up, and nothing looks ahead.

use proptest::prelude::*;
use rstest::rstest;

use super::{
    lookahead::first_candles,
    properties::{
        any_body, any_candles, any_rule, nothing_follows_a_ruin, slowly, the_ledger_adds_up,
    },
    *,
};

fn percent(halves: std::ops::Range<u32>) -> impl Strategy<Value = f64> {
    halves.prop_map(|halves| f64::from(halves) / 2.0)
}

fn any_entry() -> impl Strategy<Value = Value> {
    let price = prop::sample::select(vec![
        "close * 0.98",
        "highest(high, 3)",
        "close[1]",
        "lowest(low, 4) - 1",
        "sma(3) / volume",
    ]);
    let valid = 1..5_usize;
    prop_oneof![
        Just(json!({})),
        (prop::sample::select(vec!["limit", "stop"]), percent(0..10), valid.clone()).prop_map(
            |(order, offset, valid)| json!({"entry_order": order, "entry_offset": offset, "entry_valid_candles": valid})
        ),
        (prop::sample::select(vec!["limit", "stop"]), price.clone(), valid.clone()).prop_map(
            |(order, price, valid)| json!({"entry_order": order, "entry_price": price, "entry_valid_candles": valid})
        ),
        (price, percent(0..10), valid).prop_map(|(price, offset, valid)| json!({
            "entry_order": "stop_limit", "entry_price": price, "entry_limit_offset": offset - 2.5,
            "entry_valid_candles": valid
        })),
    ]
}

fn any_protection() -> impl Strategy<Value = Value> {
    let trailing = prop_oneof![
        2 => Just(json!({})),
        1 => percent(1..40).prop_map(|percent| json!({"trailing_stop": percent})),
        1 => percent(1..8).prop_map(|multiple| json!({"trailing_stop_atr": multiple, "trailing_stop_atr_period": 2})),
    ];
    let parts = prop::collection::vec((percent(1..30), percent(1..60)), 0..3);
    let partial = prop::option::weighted(0.3, (any_rule(), percent(1..200)));
    let candles = prop::option::weighted(0.4, 1..8_usize);
    (trailing, prop::option::weighted(0.4, percent(1..30)), candles, parts, partial).prop_map(
        |(mut config, break_even, candles, parts, partial)| {
            config["break_even"] = json!(break_even);
            config["max_candles"] = json!(candles);
            let parts: Vec<_> =
                parts.iter().map(|(at, close)| json!({"at": at, "close": close})).collect();
            config["partial_take_profits"] = json!(parts);
            if let Some((rules, size)) = partial {
                config["partial_exit_rules"] = rules;
                config["partial_exit_size"] = json!(size);
            }
            config
        },
    )
}

/// A body with every order and protection that there is.
pub(super) fn any_full_body() -> impl Strategy<Value = Value> {
    let mode = prop::sample::select(vec!["single", "exclusive", "netting", "hedging"]);
    (any_body(), any_entry(), any_protection(), mode, 1..4_usize).prop_map(
        |(mut body, entry, protection, mode, entries)| {
            let config = body["config"].as_object_mut().unwrap();
            config.extend(entry.as_object().unwrap().clone());
            config.extend(protection.as_object().unwrap().clone());
            config.insert("position_mode".to_owned(), json!(mode));
            config.insert("max_entries".to_owned(), json!(entries));
            body
        },
    )
}

pub(super) fn any_full_settings() -> impl Strategy<Value = Settings> {
    let choice = |words: &'static [&'static str]| prop::sample::select(words.to_vec());
    let costs = (0..60_u32, 0..3_u32, 0..30_u32, 0..30_u32, 0..50_u32, -10..30_i32);
    let margin = (
        prop::sample::select(vec![1, 1, 2, 3, 10]),
        prop::option::of(0..90_u32),
        prop::sample::select(vec![0, 0, 3, -2]),
        1..48_u32,
    );
    (
        costs,
        margin,
        choice(&["next_open", "close"]),
        choice(&["stop_first", "target_first", "lower_timeframe"]),
        choice(&["close", "open", "leave_open"]),
        choice(&["0.00000001", "0.001", "1"]),
        any::<bool>(),
    )
        .prop_map(|(costs, margin, fill, intrabar, finalize, lot, is_preset)| {
            let (commission, fixed, slippage, spread, range, maker) = costs;
            let (leverage, maintenance, funding, hours) = margin;
            let finalize = if finalize == "open" && !is_preset { "close" } else { finalize };
            let mut metadata = json!({
                "commission": f64::from(commission) / 1e4, "commission_fixed": fixed, "slippage_bps": slippage,
                "spread_bps": spread, "fill": fill, "finalize": finalize, "lot": lot, "leverage": leverage,
            });
            if is_preset {
                metadata["preset"] = json!("backtesting_py");
            } else {
                metadata["intrabar"] = json!(intrabar);
                metadata["slippage_range_percentage"] = json!(range);
                metadata["commission_maker"] = json!(f64::from(maker) / 1e4);
                metadata["funding_rate"] = json!(f64::from(funding) / 1e3);
                metadata["funding_interval_hours"] = json!(hours);
                let part = |percent: u32| f64::from(percent) / 100.0 / f64::from(leverage);
                metadata["maintenance_margin"] = json!(maintenance.map(part));
            }
            settings(metadata)
        })
}

/// Finer candles that stay within each candle: four walks from open to close by both ends.
pub(super) fn finer(candles: &Candles) -> Candles {
    let quarters = (0..candles.len()).flat_map(|index| {
        let Candle { open_time, open, high, low, close, .. } = candles.get(index).unwrap();
        let is_up = (open_time / DAY_MS) % 2 == 0;
        let (first, second) = if is_up { (high, low) } else { (low, high) };
        let path = [open, first, second, close, close];
        (0..4).map(move |quarter: usize| Candle {
            open_time: open_time + i64::try_from(quarter).unwrap() * DAY_MS / 4,
            open: path[quarter],
            high: path[quarter].max(path[quarter + 1]),
            low: path[quarter].min(path[quarter + 1]),
            close: path[quarter + 1],
            volume: 1.0,
        })
    });
    quarters.collect()
}

fn prices_lie_in_their_candles(outcome: &Outcome, candles: &Candles, settings: &Settings) {
    let slip = 1.0 + (settings.slippage_bps.get() + settings.spread_bps.get()) / 1e4;
    let fills =
        outcome.trades.iter().flat_map(|trade| std::iter::once(&trade.entry).chain(&trade.exit));
    for fill in fills {
        let index = candles.open_time.binary_search(&fill.time).unwrap();
        let price = exact::to_f64(fill.price);
        let (low, high) = (candles.low[index] / slip * 0.999, candles.high[index] * slip * 1.001);
        assert!(low - 1e-8 <= price && price <= high + 1e-8, "{price} of {}", fill.reason);
        assert!(fill.quantity > Decimal::ZERO && !fill.reason.is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_envelope_passes_over_no_trade(
        candles in any_candles(), body in any_full_body(), settings in any_full_settings(), entries in 1..9_usize,
    ) {
        let mut body = body;
        body["config"]["max_entries"] = json!(entries);
        if !settings.preset.is_backtrail() {
            body["config"]["partial_take_profits"] = json!([]);
        }
        let (strategy, fine) = (strategy(&body), finer(&candles));
        let input = Input { fine: Some(&fine), ..input(&strategy, &candles, &settings) };
        let Ok(outcome) = run(&input, &mut ()) else { return Ok(()) };
        let slow = slowly(&input);
        prop_assert_eq!((slow.trades, slow.equity), (outcome.trades, outcome.equity));
        prop_assert_eq!((slow.rejections, slow.expiries), (outcome.rejections, outcome.expiries));
    }

    #[test]
    fn money_adds_up_whatever_the_orders(
        candles in any_candles(), body in any_full_body(), settings in any_full_settings(),
    ) {
        let mut body = body;
        if !settings.preset.is_backtrail() {
            body["config"]["partial_take_profits"] = json!([]);
        }
        let (strategy, fine) = (strategy(&body), finer(&candles));
        let input = Input { fine: Some(&fine), ..input(&strategy, &candles, &settings) };
        let outcome = match recorded::accepted(&input) {
            Ok(outcome) => outcome,
            Err(SimulationError::NothingToEvaluate { .. } | SimulationError::Overflow(_)) => return Ok(()),
            Err(error) => panic!("{error}"),
        };
        assert_eq!(outcome.equity.len(), candles.len());
        assert!(outcome.equity.iter().all(|equity| equity.is_finite() && *equity >= 0.0), "{:?}", outcome.equity);
        assert!(outcome.metrics.values().into_iter().flatten().all(f64::is_finite));
        the_ledger_adds_up(&outcome, *candles.close.last().unwrap());
        // backtesting.py fills a stop at the close before, and a stop-limit at its stop, wherever the candle lies.
        let has_stop = ["stop", "stop_limit"].map(|order| json!(order)).contains(&body["config"]["entry_order"]);
        let is_odd = !settings.preset.is_backtrail() && has_stop;
        if !is_odd {
            prices_lie_in_their_candles(&outcome, &candles, &settings);
        }
        nothing_follows_a_ruin(&outcome, &candles);
        // A trade whose fixed fee is more than it brings takes the rest from others that are still held.
        let owes_fees = settings.commission_fixed.get() > 0.0 && body["config"]["max_entries"] != 1;
        let is_borrowing = owes_fees || settings.leverage.get() > 1.0 || body["config"]["direction"] != "long"
            || !settings.preset.is_backtrail() || settings.funding_rate.get() != 0.0;
        let fills = || outcome.trades.iter().flat_map(|trade| std::iter::once(&trade.entry).chain(&trade.exit));
        assert!(is_borrowing || fills().all(|fill| fill.cash_after >= Decimal::ZERO));
        if outcome.ambiguous_trades_count == 0 {
            assert_eq!(outcome.final_balance_stop_first, outcome.final_balance);
            assert_eq!(outcome.final_balance_target_first, outcome.final_balance);
        }
        assert_eq!(run(&input, &mut ()).unwrap(), outcome);
    }
}

/// Every fill as it happened, before parts took their share of an entry.
#[derive(Default)]
struct Fills(Vec<Fill>);

impl Observer for Fills {
    fn observe(&mut self, step: Step<'_>) -> ControlFlow<()> {
        match step {
            Step::Opened(trade) => self.0.push(trade.entry.clone()),
            Step::Closed(trade) | Step::Reduced { part: trade, .. } => {
                self.0.extend(trade.exit.clone())
            }
            Step::Progress { .. } => {}
        }
        ControlFlow::Continue(())
    }
}

#[rstest]
fn no_order_looks_ahead(
    #[values("next_open", "close")] fill: &str,
    #[values("long", "short", "both")] direction: &str,
    #[values("stop_first", "target_first", "lower_timeframe")] intrabar: &str,
    #[values("market", "limit", "stop", "stop_limit")] order: &str,
    #[values("single", "netting", "hedging")] mode: &str,
    #[values("close", "leave_open")] finalize: &str,
) {
    let candles = first_candles(&candles_of("BTCUSDT_1d"), 60);
    let fine = finer(&candles);
    let rule = |comparator: &str| json!({"indicator": "close", "comparator": comparator, "value": "sma(4)[1]"});
    let mut config = json!({"direction": direction, "stop_loss": 4, "take_profit": 6, "trailing_stop_atr": 1,
        "trailing_stop_atr_period": 3, "break_even": 2, "max_candles": 6, "max_entries": 2,
        "position_mode": mode, "position_sizing": "percent_of_equity", "size": 40, "entry_order": order,
        "partial_take_profits": [{"at": 1, "close": 30}, {"at": 3, "close": 30}],
        "partial_exit_rules": {"indicator": "rsi(3)", "comparator": ">", "value": 80}});
    match order {
        "market" => {}
        "stop_limit" => {
            config["entry_price"] = json!("(high + close) / 2");
            config["entry_limit_offset"] = json!(0.5);
            config["entry_valid_candles"] = json!(3);
        }
        _ => {
            config["entry_offset"] = json!(1);
            config["entry_valid_candles"] = json!(3);
        }
    }
    let body = json!({"entry_rules": rule(">"), "exit_rules": rule("<"), "config": config});
    let settings = settings(
        json!({"fill": fill, "intrabar": intrabar, "finalize": finalize, "slippage_bps": 3, "leverage": 2,
        "commission_maker": 0.0002, "funding_rate": 0.0001, "slippage_range_percentage": 5}),
    );
    let strategy = strategy(&body);
    let simulate = |candles: &Candles| {
        let input = Input { fine: Some(&fine), ..input(&strategy, candles, &settings) };
        let mut fills = Fills::default();
        let outcome = run(&input, &mut fills).unwrap();
        (outcome, fills.0)
    };
    let (whole, all_fills) = simulate(&candles);
    assert!(all_fills.len() > 10, "{}", all_fills.len());
    for end in whole.first_evaluated..candles.len() {
        let (part, fills) = simulate(&first_candles(&candles, end + 1));
        let time = candles.open_time[end];
        let before = |fills: &[Fill]| -> Vec<Fill> {
            let is_before = |fill: &&Fill| fill.time < time && fill.reason != "end_of_data";
            fills.iter().filter(is_before).cloned().collect()
        };
        assert!(before(&fills) == before(&all_fills), "until {end}");
        assert_eq!(part.equity[..end], whole.equity[..end], "until {end}");
    }
}
