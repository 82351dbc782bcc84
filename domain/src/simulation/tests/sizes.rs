//! Sizes and costs, to the last digit. Expected numbers: Python's `decimal` with the formulas of docs/simulation.md.

use proptest::prelude::*;
use rstest::rstest;

use super::*;

/// In at 100, out at 110; 10,000 unless the case says otherwise.
#[expect(clippy::needless_pass_by_value, reason = "a literal at each call")]
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

/// A market and its costs, at any scale.
fn any_market() -> impl Strategy<Value = (Decimal, Value, Decimal)> {
    let decimal = |digits: u32, scales: std::ops::Range<u32>| {
        (1..10_i64.pow(digits), scales).prop_map(|(mantissa, scale)| Decimal::new(mantissa, scale))
    };
    let price = prop_oneof![decimal(9, 2..21), decimal(7, 0..8)];
    let lot = prop::sample::select(vec!["0.00000001", "0.00001", "0.03", "1", "100"]);
    let fee = prop_oneof![Just(Decimal::ZERO), decimal(4, 4..7)];
    let fixed = prop_oneof![3 => Just(Decimal::ZERO), 1 => decimal(3, 0..10)];
    let leverage = prop_oneof![
        Just(Decimal::ONE),
        decimal(3, 0..1),
        (10..10_000_i64).prop_map(|tenths| Decimal::new(tenths, 1))
    ];
    (price, lot, fee, fixed, leverage, decimal(10, 2..9)).prop_map(
        |(price, lot, commission, fixed, leverage, balance)| {
            let number = |decimal: Decimal| exact::to_f64(decimal);
            let metadata = json!({"lot": lot, "commission": number(commission),
                "commission_fixed": number(fixed), "leverage": number(leverage)});
            (price, metadata, balance)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// It is the quotient or, where roundings make that too dear, the largest size that is not.
    #[test]
    fn all_in_is_never_rejected_for_a_rounding((price, metadata, balance) in any_market()) {
        prop_assume!(price >= exact::PRICE_MIN);
        let open = exact::to_f64(price);
        let candles = candles((0..3).map(|day| [open, open, open, open, f64::from(day)]));
        let (strategy, settings) = (strategy(&json!({"entry_rules": when("volume", "==", 1)})), settings(metadata));
        let outcome = run(&Input { initial_balance: balance, ..input(&strategy, &candles, &settings) }, &mut ()).unwrap();
        let decimal = |number: crate::number::Number| exact::decimal(number.get()).unwrap();
        let (rate, fixed) = (decimal(settings.commission), decimal(settings.commission_fixed));
        let (leverage, lot) = (decimal(settings.leverage), settings.lot.unwrap());
        let is_payable = |quantity: Decimal| {
            let notional = exact::multiply(price, quantity).unwrap();
            let fee = exact::multiply_add(notional, rate, fixed).unwrap();
            notional + fee * leverage <= balance * leverage
        };
        let Some(trade) = outcome.trades.first() else {
            let reason = &outcome.rejections[0].reason;
            prop_assert!(reason.contains("does not pay for one lot"), "{}", reason);
            let one_lot = price * lot * (Decimal::ONE + rate * leverage) + fixed * leverage;
            prop_assert!(one_lot > balance * leverage || !is_payable(lot));
            return Ok(());
        };
        let quantity = trade.entry.quantity;
        prop_assert!(is_payable(quantity));
        let quotient = (balance - fixed) * leverage / (price * (Decimal::ONE + rate * leverage));
        let tolerance = quotient * Decimal::new(1, 18);
        prop_assert!(quantity <= quotient + tolerance, "{} of {}", quantity, quotient);
        let next = quantity + lot;
        // A quantity of 29 digits holds no lot more.
        prop_assert!(next == quantity || next > quotient - tolerance || !is_payable(next), "{} of {}", quantity, quotient);
    }
}

/// A rebate of the maker, which makes the fee fall while the notional grows.
#[test]
fn all_in_with_a_rebate_is_paid_for() {
    let flat = |price: f64, volume: f64| [price, price, price, price, volume];
    for leverage in [1, 3, 7, 100, 999] {
        for mantissa in [1, 3, 7, 11, 1_237] {
            let price = f64::from(mantissa) / 1e7;
            let candles = candles([flat(price, 0.0), flat(price, 1.0), flat(price, 0.0)]);
            let body = json!({"entry_rules": when("volume", "==", 1), "config": {"entry_order": "limit", "entry_offset": 0}});
            let settings = settings(json!({"leverage": leverage, "commission_maker": -0.000_3}));
            let outcome = simulate(&body, &candles, &settings).unwrap();
            assert!(outcome.rejections.is_empty(), "{:?}", outcome.rejections);
            // (1 − 0.0003 L) of the notional, over L, is what it costs.
            let notional = exact::to_f64(outcome.trades[0].entry.notional().unwrap());
            let cost = notional * (1.0 / f64::from(leverage) - 0.000_3);
            assert!((cost - 10_000.0).abs() < 1e-6, "{cost}");
        }
    }
}
