//! Inputs on which the engine was wrong once, with the right value by hand.

use rstest::rstest;

use super::{
    fills::{body, day_after_entry, free},
    *,
};

fn flat(price: f64, volume: f64) -> [f64; 5] {
    [price, price, price, price, volume]
}

/// In at 1.1, out at 1.2: 10,000 × 7 ÷ (1.1 × 1.007) bind 10,000.000000002857 with their fee.
#[test]
fn all_in_with_leverage_is_a_lot_less_where_roundings_make_it_too_dear() {
    let candles = candles([flat(1.1, 9.0), flat(1.1, 1.0), flat(1.1, 9.0), flat(1.2, 9.0)]);
    let outcome = simulate(&body(json!({})), &candles, &settings(json!({"leverage": 7}))).unwrap();
    assert_eq!((outcome.trades.len(), outcome.rejections.len()), (1, 0));
    // floor(70000 ÷ 1.1077 × 10⁸) is 63194005.59718335 ÷ 10³; × 0.1 less both fees is above 6,000.
    let quantity = outcome.trades[0].entry.quantity;
    let quotient: Decimal = "63194.00559718".parse().unwrap();
    assert!(quantity < quotient && quotient - quantity < Decimal::new(1, 7), "{quantity}");
    assert!(outcome.final_balance > Decimal::from(16_000));
}

#[test]
fn a_third_of_equity_buys_whole_lots() {
    let candles = candles([flat(33.3, 1.0), flat(33.3, 1.0), flat(33.3, 1.0)]);
    let config = json!({"position_sizing": "percent_of_equity", "size": 33.3});
    let outcome = simulate(&body(config), &candles, &free(json!({"lot": 1}))).unwrap();
    assert_eq!(outcome.trades[0].entry.quantity, Decimal::from(100));
}

/// A coin that doubles earns as much as was paid for it.
#[rstest]
#[case(1.45e-8)]
#[case(2e-9)]
#[case(1e-12)]
fn a_cheap_coin_that_doubles_earns_what_was_paid(#[case] price: f64) {
    let candles = candles([
        flat(price, 0.0),
        flat(price, 1.0),
        flat(price, 0.0),
        flat(price * 2.0, 2.0),
        flat(price * 2.0, 0.0),
    ]);
    let config = json!({"position_sizing": "fixed_amount", "size": 1_000, "stop_loss": 5});
    let outcome = simulate(&body(config), &candles, &free(json!({}))).unwrap();
    assert_eq!(outcome.trades[0].pnl, Some(Decimal::from(1_000)));
    assert_eq!(exact::to_f64(outcome.trades[0].entry.price), price);
}

#[test]
fn a_price_below_a_trillionth_is_refused_by_name() {
    let candles = candles([flat(9e-13, 0.0), flat(9e-13, 1.0), flat(9e-13, 0.0)]);
    let outcome = simulate(&body(json!({})), &candles, &free(json!({}))).unwrap();
    assert_eq!(
        outcome.rejections[0].reason,
        "a price of 0.0000000000009 lies below 1e-12 and cannot be traded"
    );
}

/// 5 % below 1e-8 lies a stop of 9.5e-9: 1 % of 10,000 risks 0.05e-8 a unit.
#[test]
fn the_stop_of_a_cheap_coin_does_not_round_onto_its_price() {
    let day = [1e-8, 2e-8, 1e-8, 1e-8, 1.0];
    let config =
        json!({"position_sizing": "risk_percentage", "risk_percentage": 1, "stop_loss": 5});
    let outcome = simulate(&body(config), &candles([day; 4]), &free(json!({}))).unwrap();
    assert_eq!(outcome.trades[0].entry.quantity, Decimal::from(200_000_000_000_i64));
    assert_eq!(outcome.trades[0].exit.as_ref().unwrap().reason, "end_of_data");
}

#[rstest]
#[case("single")]
#[case("netting")]
fn a_stop_that_rounds_onto_the_price_rejects_its_order_and_the_run_goes_on(#[case] mode: &str) {
    let config = json!({"position_sizing": "risk_percentage", "risk_percentage": 1, "stop_loss": 1e-8,
        "position_mode": mode, "direction": "both"});
    let outcome = simulate(&body(config), &candles([flat(1.0, 1.0); 4]), &free(json!({}))).unwrap();
    assert!(outcome.trades.is_empty());
    assert_eq!(outcome.rejections.len(), 2);
    let reason = "the stop rounds onto the price of 1, so no size follows";
    assert!(outcome.rejections.iter().all(|rejection| rejection.reason == reason));
}

#[test]
fn a_size_that_cannot_be_counted_rejects_its_order_and_the_run_goes_on() {
    let config = json!({"position_sizing": "fixed_quantity", "size": 1e27});
    let dear = [flat(1e10, 0.0), flat(1e10, 1.0), flat(1e10, 0.0), flat(1e10, 0.0)];
    let outcome = simulate(&body(config), &candles(dear), &free(json!({}))).unwrap();
    let reason = &outcome.rejections[0].reason;
    assert!(reason.contains("too large to be counted"), "{reason}");
}

/// A signal of the last close would fill at that candle's open: 11,000 out of nothing.
#[test]
fn nothing_fills_at_an_open_whose_close_was_seen() {
    let days = [flat(100.0, 9.0), flat(100.0, 9.0), [100.0, 120.0, 100.0, 120.0, 1.0]];
    let body = body(json!({"take_profit": 10}));
    let stored = Settings { finalize: settings::Finalize::Open, ..Settings::default() };
    let error = simulate(&body, &candles(days), &stored).unwrap_err();
    assert!(matches!(error, SimulationError::Unsupported(_)), "{error}");
    let outcome = simulate(&body, &candles(days), &free(json!({}))).unwrap();
    assert!(outcome.trades.is_empty());
}

/// Stop and target 5 % around an entry at 100, on a candle that opens at or beyond the target and reaches the stop later; mirrored
/// for a short.
#[rstest]
#[case::beyond([107.0, 108.0, 94.0, 96.0], "107", "93")]
#[case::at([105.0, 105.0, 90.0, 96.0], "105", "95")]
fn a_candle_that_opens_beyond_the_target_is_a_target_at_the_open(
    #[case] day: [f64; 4],
    #[case] long: &str,
    #[case] short: &str,
    #[values("stop_first", "target_first", "lower_timeframe")] intrabar: &str,
    // A time stop, so that the general walk is taken as well.
    #[values(None, Some(50))] max_candles: Option<u32>,
) {
    for (direction, price) in [("long", long), ("short", short)] {
        let [open, high, low, close] = day;
        let day = match direction {
            "long" => day,
            _ => [200.0 - open, 200.0 - low, 200.0 - high, 200.0 - close],
        };
        let candles = day_after_entry(day);
        let config = json!({"stop_loss": 5, "take_profit": 5, "direction": direction, "max_candles": max_candles});
        let outcome =
            simulate(&body(config), &candles, &free(json!({"intrabar": intrabar}))).unwrap();
        let exit = outcome.trades[0].exit.as_ref().unwrap();
        assert_eq!((exit.reason.as_str(), exit.price.to_string().as_str()), ("take_profit", price));
        assert_eq!((exit.time, outcome.ambiguous_trades_count), (3 * DAY_MS, 0));
    }
}

/// Parts at 4 and 8 %, the rest at 20 %; the candle opens at 106 and falls through the stop, with or without 8 % before.
#[rstest]
#[case::the_stop_alone(107.0, "stop_first", ["95", "106", "95"], 0)]
#[case::both(109.0, "stop_first", ["95", "106", "95"], 1)]
#[case::both_and_the_target_first(109.0, "target_first", ["95", "106", "108"], 2)]
fn each_partial_target_is_decided_by_the_open_itself(
    #[case] high: f64,
    #[case] intrabar: &str,
    #[case] exits: [&str; 3],
    #[case] ambiguous: u32,
) {
    let config = json!({"position_sizing": "fixed_quantity", "size": 10, "take_profit": 20, "stop_loss": 5,
        "partial_take_profits": [{"at": 4, "close": 30}, {"at": 8, "close": 50}]});
    let candles = day_after_entry([106.0, high, 94.0, 96.0]);
    let outcome = simulate(&body(config), &candles, &free(json!({"intrabar": intrabar}))).unwrap();
    let exit = |trade: &Trade| trade.exit.as_ref().unwrap().price.to_string();
    let found: Vec<_> = outcome.trades.iter().map(exit).collect();
    assert_eq!(found, exits[..outcome.trades.len()]);
    // Three tenths at the open, unambiguously; what is left goes by the stop, whole, unless the target comes first.
    assert_eq!(outcome.trades[1].entry.quantity, Decimal::from(3));
    assert!(!outcome.trades[1].is_ambiguous);
    assert_eq!(outcome.ambiguous_trades_count, ambiguous);
    assert_eq!(outcome.trades.len(), if intrabar == "target_first" { 3 } else { 2 });
}

#[test]
fn equal_closes_have_no_deviation_after_any_history() {
    let closes = [285.18, 11.42, 44.1, 44.1, 44.1, 44.1, 44.1, 45.1];
    let candles = candles(closes.map(|close| flat(close, 1.0)));
    let body = json!({"entry_rules": when("stddev(2)", "==", 0)});
    let outcome = simulate(&body, &candles, &free(json!({}))).unwrap();
    // The closes of days 2 and 3 are the first equal ones.
    assert_eq!(outcome.trades[0].entry.time, 4 * DAY_MS);
    assert_eq!(outcome.trades[0].entry.reason, "stddev(2) == 0");
}

/// Stops work by prices alone; the average by volume has no value, so it places nothing.
#[test]
fn a_market_without_volume_has_no_vwap() {
    let day = [100.0, 101.0, 99.0, 100.0, 0.0];
    for comparator in ["<", ">=", "!="] {
        let rules = json!({"operator": "or", "conditions": [
            {"indicator": "vwap()", "comparator": comparator, "value": 1_000_000},
            {"indicator": "vwap() - close", "comparator": comparator, "value": 5}]});
        let body = json!({"entry_rules": rules});
        let outcome = simulate(&body, &candles([day; 5]), &free(json!({}))).unwrap();
        assert!(outcome.trades.is_empty(), "{comparator}");
    }
}

#[test]
fn twenty_hours_have_no_annual_figures_and_say_so() {
    let rows = (0..20).map(|hour| flat(if hour < 10 { 100.0 } else { 110.0 }, f64::from(hour)));
    let mut candles = candles(rows);
    candles.open_time = (0..20).map(|hour| hour * 3_600_000).collect();
    let body = json!({"entry_rules": when("volume", "==", 1)});
    let (strategy, settings) = (strategy(&body), free(json!({})));
    let input = Input { timeframe: Timeframe::OneHour, ..input(&strategy, &candles, &settings) };
    let outcome = run(&input, &mut ()).unwrap();
    let metrics = &outcome.metrics;
    assert_eq!((metrics.cagr, metrics.annual_return, metrics.calmar_ratio), (None, None, None));
    assert!((metrics.total_return.unwrap() - 0.1).abs() < 1e-12);
    let warning = outcome.warnings.iter().find(|warning| warning.code == "range_too_short");
    assert!(warning.unwrap().message.starts_with("the range covers 20 hours: cagr"));
}
