//! Leverage, liquidation, funding, costs by order kind, and finer candles, each by hand.

use rstest::rstest;

use super::{
    fills::{IN, body, fill, fills, free},
    *,
};

fn flat(price: f64, volume: f64) -> [f64; 5] {
    [price, price, price, price, volume]
}

#[test]
fn leverage_multiplies_what_is_held_and_its_margin_is_what_is_bound() {
    let candles = candles([flat(100.0, 0.0), flat(100.0, 1.0), flat(100.0, 2.0), flat(110.0, 0.0)]);
    let settings = settings(json!({"leverage": 4, "commission": 0.001}));
    let outcome = simulate(&body(json!({})), &candles, &settings).unwrap();
    // q = 10000 × 4 ÷ (100 × (1 + 0.001 × 4)): margin and fee take all that there is.
    let entry = &outcome.trades[0].entry;
    assert_eq!(entry.quantity.to_string(), "398.4063745");
    assert_eq!(entry.cash_after.to_string(), "-29880.47808745");
    // 398.4063745 × 10 less both fees.
    assert_eq!(outcome.trades[0].pnl.unwrap().to_string(), "3900.39840635");
    let half = json!({"position_sizing": "percent_of_equity", "size": 50});
    let outcome = simulate(&body(half), &candles, &free(json!({"leverage": 4}))).unwrap();
    assert_eq!(outcome.trades[0].entry.quantity, Decimal::from(200));
    let dear = json!({"position_sizing": "fixed_quantity", "size": 401});
    let outcome = simulate(&body(dear), &candles, &free(json!({"leverage": 4}))).unwrap();
    let reason = &outcome.rejections[0].reason;
    assert!(reason.contains("401 at 100 binds 10025 with its fee, and there is 10000"), "{reason}");
}

#[rstest]
#[case::half_of_the_initial_margin(None, 90.0, false)]
#[case::half_of_the_initial_margin_is_met(None, 88.0, true)]
#[case::another_margin(Some(0.01), 88.0, false)]
#[case::nothing_left(Some(0.0), 79.0, true)]
fn equity_at_the_maintenance_margin_is_liquidated(
    #[case] margin: Option<f64>,
    #[case] close: f64,
    #[case] is_liquidated: bool,
) {
    let candles = candles([
        flat(100.0, 0.0),
        flat(100.0, 1.0),
        [100.0, 100.0, close, close, 0.0],
        flat(close, 1.0),
        flat(close, 0.0),
    ]);
    let settings = free(json!({"leverage": 5, "maintenance_margin": margin}));
    let outcome = simulate(&body(json!({})), &candles, &settings).unwrap();
    let exit = outcome.trades[0].exit.as_ref().unwrap();
    assert_eq!(exit.reason == "liquidation", is_liquidated);
    let is_ruined = close < 80.0;
    // 500 × 21 lost, of which 500 cannot be paid.
    assert_eq!(outcome.shortfall, Decimal::from(if is_ruined { 500 } else { 0 }));
    // What is left is traded on.
    assert_eq!(outcome.trades.len(), if is_liquidated && !is_ruined { 2 } else { 1 });
    assert_eq!(outcome.warnings.iter().any(|warning| warning.code == "liquidated"), is_liquidated);
}

#[test]
fn funding_accrues_at_its_hours_and_is_settled_with_the_exit() {
    let candles = candles([
        flat(100.0, 0.0),
        flat(100.0, 1.0),
        flat(100.0, 0.0),
        flat(110.0, 2.0),
        flat(110.0, 0.0),
    ]);
    let config = json!({"position_sizing": "fixed_quantity", "size": 10});
    let settings = free(json!({"funding_rate": 0.001, "funding_interval_hours": 8}));
    let long = simulate(&body(config.clone()), &candles, &settings).unwrap();
    // Three fundings a day of 0.001 × 10 × the open: 3.3 on day 3 and 3.3 on day 4.
    assert_eq!(long.trades[0].funding.to_string(), "-6.6");
    assert_eq!(
        (long.trades[0].pnl.unwrap(), long.funding),
        (Decimal::from(100), long.trades[0].funding)
    );
    assert_eq!(long.final_balance.to_string(), "10093.4");
    assert_eq!(long.equity, [10_000.0, 10_000.0, 10_000.0, 10_096.7, 10_093.4]);
    assert_eq!(long.metrics.total_pnl, Decimal::from(100));
    let mut short = config;
    short["direction"] = json!("short");
    let short = simulate(&body(short), &candles, &settings).unwrap();
    assert_eq!(short.trades[0].funding.to_string(), "6.6");
    assert_eq!(short.final_balance.to_string(), "9906.6");
}

#[test]
fn a_part_takes_its_share_of_funding_out_of_equity_once() {
    let candles = candles([
        flat(100.0, 0.0),
        flat(100.0, 1.0),
        flat(100.0, 3.0),
        flat(100.0, 0.0),
        flat(100.0, 0.0),
    ]);
    let config = json!({"position_sizing": "fixed_quantity", "size": 10, "partial_exit_size": 50,
        "partial_exit_rules": when("volume", "==", 3)});
    let settings = free(json!({"funding_rate": 0.001, "funding_interval_hours": 8}));
    let outcome = simulate(&body(config), &candles, &settings).unwrap();
    // 3 × 0.001 × 1000 on day 3, half of it paid with the part that is closed there; 3 × 0.001 × 500 on day 4.
    assert_eq!(outcome.equity, [10_000.0, 10_000.0, 10_000.0, 9_997.0, 9_995.5]);
    assert_eq!(outcome.final_balance.to_string(), "9995.5");
}

#[test]
fn limits_and_targets_pay_the_makers_commission() {
    let candles = candles([
        flat(100.0, 0.0),
        flat(100.0, 1.0),
        [100.0, 100.0, 95.0, 96.0, 0.0],
        [96.0, 110.0, 96.0, 105.0, 0.0],
        flat(105.0, 0.0),
    ]);
    let config = json!({"position_sizing": "fixed_quantity", "size": 10, "entry_order": "limit",
        "entry_offset": 4, "take_profit": 5, "stop_loss": 50});
    let metadata = json!({"commission": 0.001, "commission_maker": -0.0001, "slippage_bps": 50});
    let outcome = simulate(&body(config), &candles, &settings(metadata.clone())).unwrap();
    let trade = &outcome.trades[0];
    assert_eq!(trade.entry.fee.to_string(), "-0.096");
    assert_eq!(trade.exit.as_ref().unwrap().fee.to_string(), "-0.1008");
    let config = json!({"position_sizing": "fixed_quantity", "size": 10});
    let outcome = simulate(&body(config), &candles, &settings(metadata)).unwrap();
    assert_eq!(outcome.trades[0].entry.fee.to_string(), "1.005");
}

#[test]
fn slippage_by_range_never_leaves_the_candle() {
    let candles = candles([
        flat(100.0, 0.0),
        flat(100.0, 1.0),
        [100.0, 104.0, 96.0, 100.0, 2.0],
        [100.0, 101.0, 99.5, 100.0, 0.0],
    ]);
    let settings = free(json!({"slippage_range_percentage": 25}));
    let outcome = simulate(&body(json!({})), &candles, &settings).unwrap();
    // A quarter of 8 above the open, and a quarter of 1.5 below it.
    assert_eq!((fills(&outcome)[0].2.as_str(), fills(&outcome)[1].2.as_str()), ("102", "99.625"));
    let all = free(json!({"slippage_range_percentage": 100}));
    let outcome = simulate(&body(json!({})), &candles, &all).unwrap();
    assert_eq!((fills(&outcome)[0].2.as_str(), fills(&outcome)[1].2.as_str()), ("104", "99.5"));
}

/// Stop 95, target 110, and a third day that touches both; its hours as given.
fn by_finer(hours: &[[f64; 4]], intrabar: &str) -> Outcome {
    let candles = candles([
        flat(100.0, 0.0),
        flat(100.0, 1.0),
        flat(100.0, 0.0),
        [100.0, 112.0, 94.0, 105.0, 0.0],
        flat(105.0, 0.0),
    ]);
    let hour = |(place, [open, high, low, close]): (usize, &[f64; 4])| Candle {
        open_time: 3 * DAY_MS + i64::try_from(place).unwrap() * 3_600_000,
        open: *open,
        high: *high,
        low: *low,
        close: *close,
        volume: 1.0,
    };
    let fine: Candles = hours.iter().enumerate().map(hour).collect();
    let body = body(json!({"stop_loss": 5, "take_profit": 10}));
    let (strategy, settings) = (strategy(&body), free(json!({"intrabar": intrabar})));
    let input = Input { fine: Some(&fine), ..input(&strategy, &candles, &settings) };
    run(&input, &mut ()).unwrap()
}

#[rstest]
#[case::target_first(&[[100.0, 111.0, 99.0, 110.0], [110.0, 112.0, 94.0, 105.0]], "110", false)]
#[case::stop_first(&[[100.0, 101.0, 94.0, 96.0], [96.0, 112.0, 96.0, 105.0]], "95", false)]
#[case::a_gap_within(&[[100.0, 101.0, 99.0, 100.0], [94.0, 112.0, 94.0, 105.0]], "94", false)]
#[case::not_even_there(&[[100.0, 101.0, 99.0, 100.0], [100.0, 112.0, 94.0, 105.0]], "95", true)]
#[case::nothing_stored(&[], "95", true)]
fn finer_candles_tell_which_came_first(
    #[case] hours: &[[f64; 4]],
    #[case] price: &str,
    #[case] is_ambiguous: bool,
) {
    let outcome = by_finer(hours, "lower_timeframe");
    let reason = if price == "110" { "take_profit" } else { "stop_loss" };
    assert_eq!(fills(&outcome)[1], fill(3, Side::Sell, price, reason));
    assert_eq!(outcome.trades[0].is_ambiguous, is_ambiguous);
    assert_eq!(outcome.ambiguous_trades_count, u32::from(is_ambiguous));
    let (stop, target) = (outcome.final_balance_stop_first, outcome.final_balance_target_first);
    assert_eq!(stop, outcome.final_balance);
    assert_eq!(target, if is_ambiguous { Decimal::from(11_000) } else { stop });
    assert_eq!(fills(&outcome)[0], fill(2, Side::Buy, "100", IN));
}

#[rstest]
#[case("stop_first", 9_500)]
#[case("target_first", 11_000)]
fn both_final_balances_are_told_whatever_was_chosen(#[case] intrabar: &str, #[case] balance: u32) {
    let outcome = by_finer(&[], intrabar);
    assert_eq!(outcome.final_balance, Decimal::from(balance));
    assert_eq!(outcome.final_balance_stop_first, Decimal::from(9_500));
    assert_eq!(outcome.final_balance_target_first, Decimal::from(11_000));
}
