//! Sizes and costs, to the last digit. Expected numbers: Python's `decimal` with the formulas of docs/simulation.md.

use rstest::rstest;

use super::*;

/// In at 100, out at 110; 10,000 unless the case says otherwise.
fn round_trip(config: Value, metadata: Value, balance: u32) -> Outcome {
    let flat = |price: f64, volume: f64| [price, price, price, price, volume];
    let candles = candles([flat(100.0, 0.0), flat(100.0, 1.0), flat(100.0, 2.0), flat(110.0, 0.0)]);
    let body = json!({"entry_rules": when("volume", "==", 1), "exit_rules": when("volume", "==", 2), "config": config});
    let (strategy, settings) = (strategy(&body), settings(metadata));
    let initial_balance = Decimal::from(balance);
    run(&Input { initial_balance, ..input(&strategy, &candles, &settings) }, &mut ()).unwrap()
}

#[rstest]
#[case::all_in(json!({}), json!({}), "99.9000999", "9.99000999", "0.00000001", "978.02197802")]
#[case::fixed_fee(json!({}), json!({"commission_fixed": 5}), "99.85014985", "14.98501498", "0.00000002", "967.53296704")]
#[case::short(json!({"direction": "short"}), json!({}), "99.9000999", "9.99000999", "19980.01998001", "-1019.98001998")]
#[case::slippage_and_spread(json!({}), json!({"slippage_bps": 10, "spread_bps": 5}), "99.75047418", "9.99000999", "0.00000088", "945.13723911")]
#[case::short_slippage(json!({"direction": "short"}), json!({"slippage_bps": 15}), "100.05017516", "9.99000999", "19980.01997974", "-1053.02959431")]
#[case::percent(json!({"position_sizing": "percent_of_equity", "size": 50}), json!({}), "49.95004995", "4.995005", "5000", "489.01098901")]
#[case::amount(json!({"position_sizing": "fixed_amount", "size": 2500}), json!({"commission_fixed": 5}), "24.92507492", "7.49250749", "7500.00000051", "234.01648347")]
#[case::quantity(json!({"position_sizing": "fixed_quantity", "size": 20}), json!({}), "20", "2", "7998", "195.8")]
#[case::risk(json!({"position_sizing": "risk_percentage", "risk_percentage": 1, "stop_loss": 5}), json!({}), "20", "2", "7998", "195.8")]
#[case::whole_units(json!({}), json!({"lot": 1}), "99", "9.9", "90.1", "969.21")]
fn a_round_trip_is_exact(
    #[case] config: Value,
    #[case] metadata: Value,
    #[case] quantity: &str,
    #[case] fee: &str,
    #[case] cash_after: &str,
    #[case] pnl: &str,
) {
    let outcome = round_trip(config, metadata, 10_000);
    let trade = &outcome.trades[0];
    let found = [trade.entry.quantity, trade.entry.fee, trade.entry.cash_after, trade.pnl.unwrap()];
    assert_eq!(found.map(|decimal| decimal.to_string()), [quantity, fee, cash_after, pnl]);
    assert_eq!(outcome.final_balance, Decimal::from(10_000) + trade.pnl.unwrap());
    assert!(outcome.rejections.is_empty());
}

#[test]
fn a_size_that_pays_exactly_is_not_rounded_below_it() {
    let outcome = round_trip(json!({}), json!({}), 10_010);
    let entry = &outcome.trades[0].entry;
    assert_eq!((entry.quantity, entry.cash_after), (Decimal::from(100), Decimal::ZERO));
    assert_eq!(outcome.final_balance, Decimal::from(10_989));
}

#[rstest]
#[case(json!({"position_sizing": "fixed_quantity", "size": 100}), json!({}), "100 at 100 costs 10010 with its fee, and there is 10000")]
#[case(json!({"position_sizing": "fixed_amount", "size": 20_000}), json!({}), "199.8001998 at 100 costs 19999.99999998 with its fee, and there is 10000")]
#[case(json!({}), json!({"lot": 101}), "10000 does not pay for one lot of 101 at 100")]
#[case(json!({"position_sizing": "fixed_amount", "size": 3}), json!({"commission_fixed": 5}), "10000 does not pay")]
fn what_cannot_be_paid_for_is_rejected_with_a_reason(
    #[case] config: Value,
    #[case] metadata: Value,
    #[case] reason: &str,
) {
    let outcome = round_trip(config, metadata, 10_000);
    assert!(outcome.trades.is_empty());
    assert_eq!(outcome.rejections.len(), 1);
    assert_eq!(outcome.rejections[0].time, 2 * DAY_MS);
    assert!(outcome.rejections[0].reason.contains(reason), "{}", outcome.rejections[0].reason);
    assert!(outcome.warnings.iter().any(|warning| warning.code == "rejected_orders"));
    assert_eq!(outcome.final_balance, Decimal::from(10_000));
}

#[test]
fn a_short_that_loses_everything_is_liquidated_with_a_shortfall() {
    let flat = |price: f64, volume: f64| [price, price, price, price, volume];
    let candles = candles([
        flat(100.0, 0.0),
        flat(100.0, 1.0),
        flat(100.0, 0.0),
        flat(250.0, 1.0),
        flat(90.0, 1.0),
        flat(90.0, 0.0),
    ]);
    let body = json!({"entry_rules": when("volume", "==", 1), "config": {"direction": "short"}});
    let outcome = simulate(&body, &candles, &Settings::default()).unwrap();
    assert_eq!(outcome.trades.len(), 1);
    let exit = outcome.trades[0].exit.as_ref().unwrap();
    assert_eq!((exit.reason.as_str(), exit.time), ("liquidation", 3 * DAY_MS));
    assert_eq!(exit.cash_after, Decimal::ZERO);
    assert_eq!(outcome.trades[0].pnl.unwrap().to_string(), "-15019.98001997");
    assert_eq!(outcome.shortfall.to_string(), "5019.98001997");
    assert_eq!(outcome.final_balance, Decimal::ZERO);
    assert_eq!(outcome.equity[3..], [0.0, 0.0, 0.0]);
    assert!(outcome.warnings.iter().any(|warning| warning.code == "liquidated"));
}
