//! Absurd settings, rules and candles: a clear error or a sane outcome, never a panic, a NaN or an infinity.

use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::fields::FieldError;

/// How a run with absurd input ended.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum End {
    /// Refused before it began, with messages.
    Refused,
    /// Begun, and given up with a message.
    Failed,
    /// Finished, every number of it finite.
    Ran,
}

/// Reads everything as the service does, and runs it.
fn attempt(body: &Value, metadata: &Value, candles: &Candles, balance: Decimal) -> End {
    let refused = |errors: Vec<FieldError>| {
        assert!(!errors.is_empty() && errors.iter().all(|error| error.message.len() > 10));
        End::Refused
    };
    let settings = match Settings::parse(metadata.as_object().unwrap()) {
        Ok(settings) => settings,
        Err(errors) => return refused(errors),
    };
    let bound = StrategyDefinition::parse(body.as_object().unwrap()).and_then(|definition| {
        let parameters = definition.merge_parameters(&std::collections::BTreeMap::new())?;
        definition.bind(&parameters)
    });
    let bound = match bound {
        Ok(bound) => bound,
        Err(errors) => return refused(errors),
    };
    let input = Input { initial_balance: balance, ..input(&bound, candles, &settings) };
    match run(&input, &mut ()) {
        Ok(outcome) => {
            is_sane(&outcome, candles.len());
            End::Ran
        }
        Err(error) => {
            assert!(error.to_string().len() > 10, "{error}");
            End::Failed
        }
    }
}

#[track_caller]
fn is_sane(outcome: &Outcome, len: usize) {
    assert_eq!(outcome.equity.len(), len);
    assert!(outcome.equity.iter().all(|equity| equity.is_finite()), "{:?}", outcome.equity);
    assert!(outcome.metrics.values().into_iter().flatten().all(f64::is_finite));
    let periods = &outcome.metrics.drawdown_periods;
    assert!(periods.iter().all(|period| period.depth.is_finite()));
    assert!(outcome.final_balance >= Decimal::ZERO);
    for warning in &outcome.warnings {
        let words = ["NaN", "inf"];
        assert!(words.iter().all(|word| !warning.message.contains(word)), "{}", warning.message);
    }
}

fn dips() -> Value {
    json!({"entry_rules": when("close", "<", "close[1]"), "exit_rules": when("close", ">", "close[1]")})
}

/// Up and down between 90 and 110.
fn plain() -> Candles {
    let price = |day: u32| 90.0 + f64::from(day * 7 % 21);
    candles((0..60).map(|day| {
        let (open, close) = (price(day), price(day + 1));
        [open, open.max(close) + 1.0, open.min(close) - 1.0, close, 1.0]
    }))
}

#[rstest]
#[case(json!({"leverage": 1e9}), End::Refused)]
#[case(json!({"leverage": 1e308}), End::Refused)]
#[case(json!({"leverage": 0}), End::Refused)]
#[case(json!({"leverage": "NaN"}), End::Refused)]
#[case(json!({"commission": 1}), End::Refused)]
#[case(json!({"commission": -1e-9}), End::Refused)]
#[case(json!({"commission": 0.999_999_999}), End::Ran)]
#[case(json!({"commission": 5e-324}), End::Refused)]
#[case(json!({"commission_fixed": 1e9}), End::Ran)]
#[case(json!({"commission_fixed": 1e308}), End::Refused)]
#[case(json!({"slippage_bps": 1e9}), End::Refused)]
#[case(json!({"slippage_bps": 4_999, "spread_bps": 4_999}), End::Ran)]
#[case(json!({"lot": 0}), End::Refused)]
#[case(json!({"lot": "1e-30"}), End::Refused)]
#[case(json!({"lot": "1e28"}), End::Ran)]
#[case(json!({"lot": "1e300"}), End::Refused)]
#[case(json!({"seed": 1e300}), End::Refused)]
#[case(json!({"seed": u64::MAX}), End::Ran)]
fn absurd_settings(#[case] metadata: Value, #[case] expected: End) {
    assert_eq!(attempt(&dips(), &metadata, &plain(), Decimal::from(10_000)), expected);
}

#[rstest]
#[case(json!({"entry_rules": when("sma(1000000000)", ">", 1)}), End::Refused)]
#[case(json!({"entry_rules": when("sma(1e300)", ">", 1)}), End::Refused)]
#[case(json!({"entry_rules": when("sma(0)", ">", 1)}), End::Refused)]
#[case(json!({"entry_rules": when("close[1000000000]", ">", 1)}), End::Refused)]
#[case(json!({"entry_rules": when("close", ">", "1e309")}), End::Refused)]
#[case(json!({"code_ref": "golden_cross", "default_parameters": {"long_window": 1e9}}), End::Refused)]
// As long as is allowed, and longer than there are candles.
#[case(json!({"entry_rules": when("sma(100000)", ">", 1)}), End::Failed)]
#[case(json!({"entry_rules": when("close * 1e308 * 10", ">", 1)}), End::Ran)]
#[case(json!({"entry_rules": when("close / (close - close)", ">", 1)}), End::Ran)]
#[case(json!({"entry_rules": when("bbands(20, 1e308).upper", ">", 1)}), End::Refused)]
#[case(json!({"entry_rules": when("close", ">", 1), "config": {"stop_loss": 1e9}}), End::Refused)]
#[case(json!({"entry_rules": when("close", ">", 1), "config": {"stop_loss": 1e-300}}), End::Refused)]
#[case(json!({"entry_rules": when("close", ">", 1), "config": {"take_profit": 1e300}}), End::Refused)]
#[case(json!({"entry_rules": when("close", ">", 1),
    "config": {"position_sizing": "fixed_quantity", "size": 1e300}}), End::Refused)]
#[case(json!({"entry_rules": when("close", ">", 1),
    "config": {"position_sizing": "fixed_amount", "size": 1e-300}}), End::Refused)]
#[case(json!({"entry_rules": when("close", ">", 1),
    "config": {"position_sizing": "risk_percentage", "risk_percentage": 1, "stop_loss": 1e-26}}), End::Ran)]
fn absurd_strategies(#[case] body: Value, #[case] expected: End) {
    assert_eq!(attempt(&body, &json!({}), &plain(), Decimal::from(10_000)), expected);
}

#[rstest]
#[case("0.0000000000000000000000000001", End::Ran)]
#[case("0.00000001", End::Ran)]
#[case("1000000000000", End::Ran)]
// More than the exact numbers of the ledger hold.
#[case("79228162514264337593543950335", End::Failed)]
fn absurd_balances(#[case] balance: &str, #[case] expected: End) {
    assert_eq!(attempt(&dips(), &json!({}), &plain(), balance.parse().unwrap()), expected);
}

const PRICES: [f64; 9] =
    [0.0, 5e-324, f64::MIN_POSITIVE, 1e-12, 1e-8, 100.0, 1e15, 1e22, f64::MAX / 4.0];

#[rstest]
#[case(0.0, End::Ran)]
#[case(5e-324, End::Ran)]
#[case(1e-12, End::Ran)]
#[case(1e-8, End::Ran)]
#[case(1e15, End::Ran)]
#[case(1e22, End::Failed)]
#[case(1e308, End::Failed)]
fn absurd_prices(#[case] price: f64, #[case] expected: End) {
    let candles = candles((0..60).map(|day| [price, price, price, price, f64::from(day)]));
    let body =
        json!({"entry_rules": when("volume", ">", 5), "exit_rules": when("volume", ">", 20)});
    assert_eq!(attempt(&body, &json!({}), &candles, Decimal::from(10_000)), expected);
}

#[test]
fn an_equity_beyond_all_numbers_is_an_error_although_the_price_comes_back() {
    let flat = |price: f64, volume: f64| [price, price, price, price, volume];
    let rows = [(1.0, 0.0), (1.0, 1.0), (1.0, 0.0), (1e305, 0.0), (1.0, 2.0), (1.0, 0.0)];
    let candles = candles(rows.map(|(price, volume)| flat(price, volume)));
    let body =
        json!({"entry_rules": when("volume", "==", 1), "exit_rules": when("volume", "==", 2)});
    let balance = Decimal::from(10_000);
    assert_eq!(attempt(&body, &json!({}), &candles, balance), End::Failed);
}

proptest! {
    #[test]
    fn any_built_in_survives_any_prices(
        days in prop::collection::vec((0..PRICES.len(), 0..PRICES.len(), 0..PRICES.len()), 2..120),
        builtin in 0..crate::strategy::builtins::ALL.len(),
        direction in prop::sample::select(vec!["long", "short", "both"]),
        preset in prop::sample::select(vec!["backtrail", "backtesting_py"]),
        stop in prop::option::of(0.5..50.0_f64),
    ) {
        let rows = days.iter().map(|(open, close, volume)| {
            let (open, close) = (PRICES[*open], PRICES[*close]);
            [open, open.max(close), open.min(close), close, PRICES[*volume]]
        });
        let code_ref = crate::strategy::builtins::ALL[builtin].name;
        let body = json!({"code_ref": code_ref, "config": {"direction": direction, "stop_loss": stop}});
        attempt(&body, &json!({"preset": preset}), &candles(rows), Decimal::from(10_000));
    }

    #[test]
    fn rules_of_any_prices_never_make_a_number_that_is_none(
        days in prop::collection::vec((0..PRICES.len(), 0..PRICES.len()), 2..60),
        left in prop::sample::select(vec!["close", "close / open", "close - open", "rsi(2)", "stddev(3)", "close * volume"]),
        comparator in prop::sample::select(vec![">", "<", "!=", "crosses_above"]),
        direction in prop::sample::select(vec!["long", "short"]),
    ) {
        let rows = days.iter().map(|(open, close)| {
            let (open, close) = (PRICES[*open], PRICES[*close]);
            [open, open.max(close), open.min(close), close, 1.0]
        });
        let body = json!({"entry_rules": when(left, comparator, "close[1]"),
            "exit_rules": when("open", "!=", "close"), "config": {"direction": direction}});
        attempt(&body, &json!({}), &candles(rows), Decimal::from(10_000));
    }
}
