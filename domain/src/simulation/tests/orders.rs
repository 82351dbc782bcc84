//! Resting entries, moving stops, parts and modes, each by hand.

use rstest::rstest;

use super::{
    fills::{IN, OUT, body, day_after_entry, fill, fills, free},
    *,
};

/// Quiet days at 100 around the given ones; a signal to enter at the close of day 1.
fn after_signal<const N: usize>(days: [[f64; 4]; N]) -> Candles {
    let quiet = |volume| [100.0, 101.0, 99.0, 100.0, volume];
    let given = days.map(|[open, high, low, close]| [open, high, low, close, 0.0]);
    candles([quiet(0.0), quiet(1.0)].into_iter().chain(given).chain([quiet(0.0)]))
}

#[rstest]
#[case::limit(json!({"entry_order": "limit", "entry_offset": 2}), [101.0, 102.0, 97.0, 100.0], Some("98"))]
#[case::limit_at_a_gap(json!({"entry_order": "limit", "entry_offset": 2}), [96.0, 99.0, 95.0, 97.0], Some("96"))]
#[case::limit_not_reached(json!({"entry_order": "limit", "entry_offset": 2}), [101.0, 102.0, 98.1, 100.0], None)]
#[case::limit_by_expression(json!({"entry_order": "limit", "entry_price": "low - 1"}), [101.0, 102.0, 97.0, 100.0], Some("98"))]
#[case::stop(json!({"entry_order": "stop", "entry_offset": 5}), [101.0, 106.0, 100.0, 104.0], Some("105"))]
#[case::stop_at_a_gap(json!({"entry_order": "stop", "entry_offset": 5}), [107.0, 109.0, 106.0, 108.0], Some("107"))]
#[case::stop_not_reached(json!({"entry_order": "stop", "entry_offset": 5}), [101.0, 104.9, 100.0, 104.0], None)]
#[case::stop_limit(json!({"entry_order": "stop_limit", "entry_offset": 5, "entry_limit_offset": 1}), [101.0, 106.0, 100.0, 104.0], Some("105"))]
#[case::stop_limit_that_waits(json!({"entry_order": "stop_limit", "entry_offset": 5, "entry_limit_price": "102"}), [101.0, 106.0, 100.0, 103.0], None)]
#[case::stop_limit_beyond_its_limit(json!({"entry_order": "stop_limit", "entry_offset": 5, "entry_limit_offset": 1}), [107.0, 108.0, 106.5, 107.0], None)]
#[case::stop_limit_that_comes_back(json!({"entry_order": "stop_limit", "entry_offset": 5, "entry_limit_offset": 1}), [107.0, 108.0, 105.9, 107.0], Some("106.05"))]
fn a_resting_entry_fills_where_its_price_is_met(
    #[case] config: Value,
    #[case] day: [f64; 4],
    #[case] price: Option<&str>,
) {
    let outcome = simulate(&body(config.clone()), &after_signal([day]), &free(json!({}))).unwrap();
    let entered = price.map(|price| fill(2, Side::Buy, price, IN));
    assert_eq!(fills(&outcome).first().cloned(), entered);
    // The same upside down, around 100.
    let [open, high, low, close] = day.map(|price| 200.0 - price);
    let mut short = config;
    short["direction"] = json!("short");
    if short["entry_price"].is_string() {
        short["entry_price"] = json!("high + 1");
    }
    if short["entry_limit_price"].is_string() {
        short["entry_limit_price"] = json!("98");
    }
    let candles = after_signal([[open, low, high, close]]);
    let outcome = simulate(&body(short), &candles, &free(json!({}))).unwrap();
    let mirrored =
        |price: &str| (Decimal::from(200) - price.parse::<Decimal>().unwrap()).to_string();
    let entered = price.map(|price| {
        // 1 % beyond 95 is 94.05.
        let price = if price == "106.05" { "94.05".to_owned() } else { mirrored(price) };
        fill(2, Side::Sell, &price, IN)
    });
    assert_eq!(fills(&outcome).first().cloned(), entered);
}

#[test]
fn a_resting_entry_lapses_after_its_candles_and_a_new_one_takes_its_place() {
    let quiet = [100.0, 101.0, 99.0, 100.0];
    let dip = [100.0, 101.0, 94.0, 96.0];
    let config = |candles: u32| json!({"entry_order": "limit", "entry_offset": 5, "entry_valid_candles": candles});
    for (valid, entered) in [(1, None), (2, None), (3, Some("95"))] {
        let candles = after_signal([quiet, quiet, dip]);
        let outcome = simulate(&body(config(valid)), &candles, &free(json!({}))).unwrap();
        let price = entered.map(|price| fill(4, Side::Buy, price, IN));
        assert_eq!(fills(&outcome).first().cloned(), price, "{valid}");
        // Placed at the close of candle 1, valid on as many candles.
        let expired = UnfilledOrder {
            time: (1 + i64::from(valid)) * DAY_MS,
            side: Side::Buy,
            kind: OrderKind::Limit,
            price: Some("95".parse().unwrap()),
            reason: format!("the price was not reached within {valid} candles"),
        };
        let expiries = if entered.is_some() { vec![] } else { vec![expired] };
        assert_eq!((outcome.expiries_count, outcome.expiries), (expiries.len(), expiries));
    }
    let mut again = after_signal([quiet, [110.0, 111.0, 109.0, 110.0], [110.0, 110.0, 94.0, 96.0]]);
    again.volume[3] = 1.0;
    let outcome = simulate(&body(config(9)), &again, &free(json!({}))).unwrap();
    assert_eq!(fills(&outcome)[0], fill(4, Side::Buy, "104.5", IN));
}

#[test]
fn a_price_without_a_value_places_no_order_and_says_so() {
    let config = json!({"entry_order": "limit", "entry_price": "close / (volume - 1)"});
    let candles = after_signal([[100.0, 101.0, 90.0, 100.0]]);
    let outcome = simulate(&body(config), &candles, &free(json!({}))).unwrap();
    assert!(outcome.trades.is_empty());
    assert!(outcome.rejections[0].reason.contains("undefined"), "{:?}", outcome.rejections);
}

#[test]
fn exits_of_a_resting_entry_count_from_the_next_candle_but_for_a_stop_entrys_target() {
    let limit =
        json!({"entry_order": "limit", "entry_offset": 2, "stop_loss": 1, "take_profit": 3});
    // 98, its stop at 97.02, its target at 100.94.
    let days = [[101.0, 102.0, 96.0, 100.0], [100.0, 100.5, 98.0, 99.0], [99.0, 100.0, 97.0, 98.0]];
    let outcome = simulate(&body(limit), &after_signal(days), &free(json!({}))).unwrap();
    assert_eq!(fills(&outcome)[1], fill(4, Side::Sell, "97.02", "stop_loss"));
    let stop = json!({"entry_order": "stop", "entry_offset": 5, "stop_loss": 10, "take_profit": 4});
    let day = [101.0, 112.0, 100.0, 108.0];
    let outcome = simulate(&body(stop), &after_signal([day]), &free(json!({}))).unwrap();
    assert_eq!(fills(&outcome)[1], fill(2, Side::Sell, "109.2", "take_profit"));
}

#[test]
fn a_trailing_stop_follows_the_closes_up_and_acts_from_the_next_candle() {
    let days =
        [[100.0, 121.0, 99.0, 120.0], [120.0, 121.0, 109.0, 110.0], [110.0, 112.0, 107.0, 109.0]];
    let config = json!({"trailing_stop": 10});
    let outcome = simulate(&body(config), &after_signal(days), &free(json!({}))).unwrap();
    // 120 less a tenth; the fall to 110 does not lower it.
    assert_eq!(fills(&outcome)[1], fill(4, Side::Sell, "108", "trailing_stop"));
    // Before its first close it lies a tenth below the fill, and counts at once.
    let days = [[100.0, 101.0, 89.0, 95.0]];
    let config = json!({"trailing_stop": 10, "stop_loss": 20});
    let outcome = simulate(&body(config), &after_signal(days), &free(json!({}))).unwrap();
    assert_eq!(fills(&outcome)[1], fill(2, Side::Sell, "90", "trailing_stop"));
}

#[test]
fn a_trailing_stop_by_ranges_uses_the_average_true_range_of_the_close() {
    // Quiet days range over 2; twice that below 100, then below the close of 104 with a range of 6 among them.
    let days = [[100.0, 105.0, 99.0, 104.0], [104.0, 104.0, 95.0, 96.0]];
    let config = json!({"trailing_stop_atr": 2, "trailing_stop_atr_period": 1});
    let mut candles = after_signal(days);
    candles.volume[1] = 0.0;
    candles.volume[2] = 1.0;
    let extra = candles.get(0).unwrap();
    candles.push(Candle { open_time: 5 * DAY_MS, ..extra });
    let outcome = simulate(&body(config), &candles, &free(json!({}))).unwrap();
    // Signal on day 2 with a range of 6: 12 below the fill at 104, reached at 92 only; day 3's close trails 2 × 9 below 96.
    assert_eq!(fills(&outcome)[0], fill(3, Side::Buy, "104", IN));
    assert_eq!(fills(&outcome)[1].3, "end_of_data");
    let tight = json!({"trailing_stop_atr": 1.5, "trailing_stop_atr_period": 1});
    let outcome = simulate(&body(tight), &candles, &free(json!({}))).unwrap();
    assert_eq!(fills(&outcome)[1], fill(3, Side::Sell, "95", "trailing_stop"));
}

#[test]
fn a_gain_moves_the_stop_to_the_entry() {
    let days = [[100.0, 106.0, 99.0, 105.0], [105.0, 106.0, 99.5, 104.0]];
    let config = json!({"break_even": 5, "stop_loss": 10});
    let outcome = simulate(&body(config), &after_signal(days), &free(json!({}))).unwrap();
    assert_eq!(fills(&outcome)[1], fill(3, Side::Sell, "100", "break_even"));
    let config = json!({"break_even": 5.1, "stop_loss": 10});
    let outcome = simulate(&body(config), &after_signal(days), &free(json!({}))).unwrap();
    assert_eq!(fills(&outcome)[1].3, "end_of_data");
}

#[rstest]
#[case("next_open", 2, 4, "102")]
#[case("close", 1, 3, "101")]
fn a_trade_is_left_after_so_many_candles(
    #[case] mode: &str,
    #[case] entered: i64,
    #[case] left: i64,
    #[case] price: &str,
) {
    let days =
        [[100.0, 101.0, 99.0, 100.0], [100.0, 102.0, 99.0, 101.0], [102.0, 103.0, 101.0, 102.0]];
    let settings = free(json!({"fill": mode}));
    let outcome =
        simulate(&body(json!({"max_candles": 2})), &after_signal(days), &settings).unwrap();
    assert_eq!(fills(&outcome)[0].0, entered);
    assert_eq!(fills(&outcome)[1], fill(left, Side::Sell, price, "time_stop"));
}

#[test]
fn partial_targets_close_parts_that_are_trades_of_their_own() {
    let config = json!({"position_sizing": "fixed_quantity", "size": 10, "take_profit": 12, "stop_loss": 5,
        "partial_take_profits": [{"at": 8, "close": 30}, {"at": 4, "close": 50}]});
    let days = [[100.0, 105.0, 99.0, 104.0], [104.0, 120.0, 103.0, 118.0]];
    let outcome = simulate(&body(config.clone()), &after_signal(days), &free(json!({}))).unwrap();
    let shown: Vec<_> = outcome
        .trades
        .iter()
        .map(|trade| {
            let exit = trade.exit.as_ref().unwrap();
            (trade.number, trade.part_of, trade.entry.quantity.to_string(), exit.price.to_string())
        })
        .collect();
    let expected = [
        (1, None, "2".to_owned(), "112".to_owned()),
        (2, Some(1), "5".to_owned(), "104".to_owned()),
        (3, Some(1), "3".to_owned(), "108".to_owned()),
    ];
    assert_eq!(shown, expected);
    // 2 × 12 + 5 × 4 + 3 × 8.
    assert_eq!(outcome.final_balance, Decimal::from(10_068));
    // What is left of it goes by the stop.
    let days = [[100.0, 105.0, 99.0, 104.0], [104.0, 105.0, 90.0, 92.0]];
    let outcome = simulate(&body(config), &after_signal(days), &free(json!({}))).unwrap();
    assert_eq!(outcome.final_balance, Decimal::from(10_000 + 20 - 25));
}

#[test]
fn partial_targets_do_not_go_with_the_preset() {
    let config = json!({"partial_take_profits": [{"at": 4, "close": 50}]});
    let settings = free(json!({"preset": "backtesting_py"}));
    let error = simulate(&body(config), &after_signal([]), &settings).unwrap_err();
    assert!(matches!(error, SimulationError::Unsupported(_)), "{error}");
}

#[test]
fn a_partial_exit_closes_its_portion_on_each_candle_where_it_holds() {
    let config = json!({"position_sizing": "fixed_quantity", "size": 8,
        "partial_exit_rules": {"indicator": "close", "comparator": ">", "value": 105}, "partial_exit_size": 50});
    let days =
        [[100.0, 111.0, 99.0, 110.0], [110.0, 121.0, 109.0, 120.0], [120.0, 121.0, 99.0, 100.0]];
    let outcome = simulate(&body(config), &after_signal(days), &free(json!({}))).unwrap();
    let parts: Vec<_> = outcome
        .trades
        .iter()
        .map(|trade| {
            (trade.entry.quantity.to_string(), trade.exit.as_ref().unwrap().price.to_string())
        })
        .collect();
    let expected = [("2", "100"), ("4", "110"), ("2", "120")];
    assert_eq!(parts, expected.map(|(quantity, price)| (quantity.to_owned(), price.to_owned())));
    assert_eq!(outcome.trades[1].exit.as_ref().unwrap().reason, "close > 105");
}

#[test]
fn a_part_that_would_bring_less_than_its_fee_is_not_sold() {
    let config = json!({"position_sizing": "fixed_quantity", "size": 1, "take_profit": 12,
        "partial_take_profits": [{"at": 4, "close": 1}, {"at": 8, "close": 50}]});
    let settings = settings(json!({"commission": 0, "commission_fixed": 3}));
    let days = [[100.0, 105.0, 99.0, 104.0], [104.0, 120.0, 103.0, 118.0]];
    let outcome = simulate(&body(config), &after_signal(days), &settings).unwrap();
    let quantities: Vec<_> =
        outcome.trades.iter().map(|trade| trade.entry.quantity.to_string()).collect();
    assert_eq!(quantities, ["0.5", "0.5"]);
    let reason = "a part brings 1.04, and its fee is 3";
    assert_eq!(outcome.rejections[0].reason, reason);
    let warning = outcome.warnings.iter().find(|warning| warning.code == "rejected_orders");
    assert!(warning.unwrap().message.ends_with(reason));
}

#[test]
fn as_many_entries_as_allowed_are_held_side_by_side() {
    let mut candles = after_signal([[100.0, 101.0, 99.0, 100.0]; 4]);
    candles.volume[2..5].fill(1.0);
    candles.volume[5] = 2.0;
    let config = json!({"position_sizing": "fixed_amount", "size": 2000, "max_entries": 3});
    let outcome = simulate(&body(config), &candles, &free(json!({}))).unwrap();
    let days: Vec<_> = outcome.trades.iter().map(|trade| trade.entry.time / DAY_MS).collect();
    assert_eq!(days, [2, 3, 4]);
    assert!(outcome.trades.iter().all(|trade| trade.exit.as_ref().unwrap().reason == OUT));
    assert!(outcome.trades.iter().all(|trade| trade.exit.as_ref().unwrap().time == 6 * DAY_MS));
}

/// In long by day 1, and an opposite signal on day 2 alone.
fn meeting(mode: &str, sizing: Value) -> Outcome {
    let mut candles = after_signal([[100.0, 101.0, 99.0, 100.0], [110.0, 111.0, 109.0, 110.0]]);
    candles.volume[2] = 3.0;
    let mut config = sizing;
    config["direction"] = json!("both");
    config["position_mode"] = json!(mode);
    let body = json!({"entry_rules": when("volume", "==", 1), "short_entry_rules": when("volume", "==", 3),
        "short_exit_rules": when("volume", "==", 9), "config": config});
    simulate(&body, &candles, &free(json!({}))).unwrap()
}

#[test]
fn the_position_mode_decides_what_an_opposite_entry_does() {
    let fixed = |size: u32| json!({"position_sizing": "fixed_quantity", "size": size});
    let shown = |outcome: &Outcome| -> Vec<(u32, Option<u32>, String, i64)> {
        let trades = outcome.trades.iter();
        let day = |trade: &Trade| trade.exit.as_ref().unwrap().time / DAY_MS;
        trades
            .map(|trade| {
                (trade.number, trade.part_of, trade.entry.quantity.to_string(), day(trade))
            })
            .collect()
    };
    let row = |number, part_of, quantity: &str, day| (number, part_of, quantity.to_owned(), day);
    assert_eq!(shown(&meeting("single", fixed(10))), [row(1, None, "10", 4)]);
    let flipped = meeting("exclusive", fixed(10));
    assert_eq!(shown(&flipped), [row(1, None, "10", 3), row(2, None, "10", 4)]);
    assert_eq!(flipped.trades[0].exit.as_ref().unwrap().reason, "volume == 3");
    assert_eq!(
        shown(&meeting("hedging", fixed(10))),
        [row(1, None, "10", 4), row(2, None, "10", 4)]
    );
    // As large as what is held: nothing is left to open.
    assert_eq!(shown(&meeting("netting", fixed(10))), [row(1, None, "10", 3)]);
    // All in is what is free once the other side is closed: here just as much.
    assert_eq!(shown(&meeting("netting", json!({}))), [row(1, None, "100", 3)]);
}

#[test]
fn an_opposite_entry_nets_the_oldest_first_and_opens_the_rest() {
    let mut candles = after_signal([[100.0, 101.0, 99.0, 100.0]; 3]);
    candles.volume[2] = 1.0;
    candles.volume[3] = 3.0;
    let config = json!({"position_sizing": "percent_of_equity", "size": 30, "max_entries": 2,
        "direction": "both", "position_mode": "netting"});
    let body = json!({"entry_rules": when("volume", "==", 1), "short_entry_rules": when("volume", "==", 3),
        "short_exit_rules": when("volume", "==", 9), "config": config});
    let outcome = simulate(&body, &candles, &free(json!({"lot": 7}))).unwrap();
    // 28 and 28 are held; 28 more the other way close the first.
    let days: Vec<_> =
        outcome.trades.iter().map(|trade| trade.exit.as_ref().unwrap().time / DAY_MS).collect();
    assert_eq!(days, [4, 5]);
    assert_eq!(day_after_entry([1.0; 4]).len(), 5);
}
