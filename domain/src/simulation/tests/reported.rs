//! Inputs on which the engine was wrong once, with the right value by hand.

use rstest::rstest;

use super::{
    fills::{body, free},
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
