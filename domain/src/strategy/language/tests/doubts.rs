//! Doubts: what is valid and cannot mean what it says.

use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    fields::FieldError,
    number::Number,
    strategy::{
        StrategyDefinition, builtins,
        language::{doubts, rules},
        parameters::Parameters,
        validate_strategy,
    },
};

fn doubts_of(condition: &Value) -> Vec<FieldError> {
    let numbers = [("zero", 0.0), ("high", 70.0), ("low", 30.0)];
    let numbers = numbers.map(|(name, value)| (name.to_owned(), Number::try_new(value).unwrap()));
    let (mut errors, mut warnings) = (Vec::new(), Vec::new());
    let rule = rules::read("entry_rules", condition, &mut errors).unwrap();
    assert_eq!(errors, []);
    doubts::of_rule(&rule, &Parameters::from(numbers), &mut warnings);
    warnings
}

fn compared(left: &str, comparator: &str, right: &str) -> Option<(String, String)> {
    let found = doubts_of(&json!({"indicator": left, "comparator": comparator, "value": right}));
    assert!(found.len() < 2, "{found:?}");
    let doubt = found.into_iter().next()?;
    assert_eq!(doubt.field, "entry_rules.value");
    Some((doubt.code.to_string(), doubt.message))
}

#[rstest]
#[case("rsi", "<", "200", "always_true")]
#[case("rsi", ">", "100", "never_true")]
#[case("rsi", ">=", "101", "never_true")]
#[case("rsi", "crosses_above", "100", "never_true")]
#[case("rsi", "crosses_below", "0", "never_true")]
#[case("rsi", "==", "-5", "never_true")]
#[case("rsi", "!=", "-5", "always_true")]
#[case("200", ">", "rsi", "always_true")]
#[case("rsi / 100", ">", "30", "never_true")]
#[case("rsi[3]", "<", "$high * 2", "always_true")]
#[case("max(rsi, mfi)", "<=", "100", "always_true")]
#[case("abs(cmo)", "<", "0", "never_true")]
#[case("stoch.d", ">", "120", "never_true")]
#[case("stochrsi", "<", "-20", "never_true")]
#[case("mfi", ">", "100", "never_true")]
#[case("ultosc", "<", "0", "never_true")]
#[case("cmo", "<", "-100", "never_true")]
#[case("willr", "<", "20", "always_true")]
#[case("willr", ">", "80", "never_true")]
#[case("willr", "crosses_above", "20", "never_true")]
#[case("-willr", ">", "-1", "always_true")]
#[case("adx", ">", "100", "never_true")]
#[case("adxr", ">=", "0", "always_true")]
#[case("dx", "<", "0", "never_true")]
#[case("plus_di", ">", "150", "never_true")]
#[case("minus_di", "<=", "100", "always_true")]
#[case("aroon.down", ">", "100", "never_true")]
#[case("supertrend.direction", ">", "1", "never_true")]
#[case("roc", "<", "-100", "never_true")]
#[case("close", "<", "0", "never_true")]
#[case("atr", "<", "-1", "never_true")]
#[case("volume", ">=", "0", "always_true")]
#[case("sma(50)", ">", "sma(50)", "same_on_both_sides")]
#[case("sma", "crosses_above", "sma(20, close)", "same_on_both_sides")]
#[case("close", ">=", "close[0]", "same_on_both_sides")]
#[case("1", ">", "2", "constant_condition")]
#[case("$low", "<", "$high", "constant_condition")]
#[case("close - close", "==", "0", "constant_condition")]
#[case("1", "crosses_above", "2", "constant_condition")]
#[case("close", ">", "open / 0", "division_by_zero")]
#[case("close", ">", "open / $zero", "division_by_zero")]
#[case("close", ">", "1 + min(open, 2 / (3 - 3))", "division_by_zero")]
#[case("close", ">", "high / (low - low)", "division_by_zero")]
fn what_is_known_in_advance_is_doubted(
    #[case] left: &str,
    #[case] comparator: &str,
    #[case] right: &str,
    #[case] code: &str,
) {
    assert_eq!(compared(left, comparator, right).unwrap().0, code);
}

#[rstest]
#[case("rsi", "<", "30")]
#[case("rsi", ">=", "100")]
#[case("rsi", "<=", "0")]
#[case("rsi", "crosses_above", "$high")]
#[case("willr", "<", "-80")]
#[case("close", ">", "0")]
#[case("volume", ">", "0")]
#[case("sma(50)", ">", "sma(51)")]
#[case("sma(50)", ">", "sma(50)[1]")]
#[case("macd.macd", ">", "macd.signal")]
#[case("macd", "<", "-5")]
#[case("cci", ">", "200")]
#[case("close / volume", ">", "-1")]
#[case("dema", "<", "-1")]
#[case("rsi - mfi", "<", "-50")]
fn what_depends_on_the_candles_is_not_doubted(
    #[case] left: &str,
    #[case] comparator: &str,
    #[case] right: &str,
) {
    assert_eq!(compared(left, comparator, right), None);
}

#[rstest]
#[case("rsi", json!([70, 30]), Some("reversed_range"))]
#[case("rsi", json!(["$high", "$low"]), Some("reversed_range"))]
#[case("close", json!(["bbands.upper", "bbands.lower"]), Some("reversed_range"))]
#[case("close", json!(["donchian.middle", "donchian.lower"]), Some("reversed_range"))]
#[case("rsi", json!([-10, 110]), Some("always_true"))]
#[case("rsi", json!([101, 200]), Some("never_true"))]
#[case("1", json!([0, 2]), Some("constant_condition"))]
#[case("close", json!(["open / 0", 2]), Some("division_by_zero"))]
#[case("rsi", json!([30, 70]), None)]
#[case("rsi", json!([30, 30]), None)]
#[case("close", json!(["bbands.lower", "bbands.upper"]), None)]
#[case("close", json!(["bbands(20, 2).upper", "bbands(20, 1).lower"]), None)]
fn a_range_is_doubted(#[case] left: &str, #[case] pair: Value, #[case] code: Option<&str>) {
    for name in ["value", "between"] {
        let mut condition = json!({"indicator": left, "comparator": "between"});
        condition[name] = pair.clone();
        let found = doubts_of(&condition);
        assert_eq!(found.first().map(|doubt| doubt.code.as_str()), code, "{name}");
        let at = format!("entry_rules.{name}");
        assert!(found.iter().all(|doubt| doubt.field.starts_with(&at)), "{found:?}");
    }
}

#[test]
fn a_doubt_says_why() {
    let message = |left, comparator, right| compared(left, comparator, right).unwrap().1;
    assert_eq!(
        message("rsi", "<", "200"),
        "`rsi(14) < 200` always holds: rsi(14) is between 0 and 100"
    );
    assert_eq!(
        message("willr", ">", "rsi"),
        "`willr(14) > rsi(14)` never holds: willr(14) is between -100 and 0, and rsi(14) is between 0 and 100"
    );
    assert_eq!(
        message("sma(50)", ">", "sma(50)"),
        "`sma(50) > sma(50)` has the same on both sides: it never holds"
    );
    assert_eq!(message("1", "<", "2"), "`1 < 2` compares constants: it always holds");
    assert_eq!(
        message("close", ">", "open / 0"),
        "`open / 0` divides by zero: it never has a value"
    );
}

#[test]
fn every_part_of_a_strategy_is_looked_at_and_none_is_refused() {
    let never = json!({"indicator": "rsi", "comparator": ">", "value": 100});
    let body = json!({
        "entry_rules": {"operator": "and", "conditions": [never, {"operator": "or", "conditions": [never]}]},
        "exit_rules": never, "short_entry_rules": never, "short_exit_rules": never,
        "config": {"direction": "both", "partial_exit_rules": never, "entry_order": "limit",
                   "entry_price": "close / 0"},
    });
    let validation = validate_strategy(body.as_object().unwrap());
    assert_eq!(validation.errors, []);
    let fields: Vec<_> = validation.warnings.iter().map(|found| found.field.as_str()).collect();
    let expected = [
        "entry_rules.conditions[0].value",
        "entry_rules.conditions[1].conditions[0].value",
        "exit_rules.value",
        "short_entry_rules.value",
        "short_exit_rules.value",
        "config.partial_exit_rules.value",
        "config.entry_price",
    ];
    assert_eq!(fields, expected);
    let definition = StrategyDefinition::parse(body.as_object().unwrap()).unwrap();
    assert_eq!(definition.warnings(), validation.warnings);
}

#[test]
fn no_built_in_is_doubted() {
    for builtin in builtins::ALL {
        let rules = [Some((builtin.entry_rules)()), builtin.exit_rules.map(|rules| rules())];
        for rules in rules.iter().flatten() {
            let mut errors = Vec::new();
            let rule = rules::read("entry_rules", rules, &mut errors).unwrap();
            let defaults = crate::strategy::parameters::defaults_of(builtin);
            let mut warnings = Vec::new();
            doubts::of_rule(&rule, &defaults, &mut warnings);
            assert_eq!(warnings, [], "{}", builtin.name);
        }
        assert_eq!(StrategyDefinition::of_builtin(builtin).warnings(), []);
    }
}
