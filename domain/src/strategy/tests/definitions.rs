//! Definitions: read out of a body, merged with parameters, bound, and checked all at once.

use std::collections::BTreeMap;

use rstest::rstest;
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use crate::strategy::StrategyDefinition;
use crate::{
    fields::FieldError,
    number::Number,
    simulation::rules::{Comparison, Condition, Directions, Sizing},
    strategy::validate_strategy,
};

#[expect(clippy::needless_pass_by_value, reason = "a literal at each call")]
fn body(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn parse(value: Value) -> Result<StrategyDefinition, Vec<FieldError>> {
    StrategyDefinition::parse(&body(value))
}

fn numbers(pairs: &[(&str, f64)]) -> BTreeMap<String, Number> {
    let numbers = pairs.iter();
    numbers.map(|(name, value)| ((*name).to_owned(), Number::try_new(*value).unwrap())).collect()
}

/// `(field, code)` of each error.
fn found(errors: &[FieldError]) -> Vec<(&str, &str)> {
    errors.iter().map(|error| (error.field.as_str(), error.code.as_str())).collect()
}

/// Every comparison's text, in order.
fn texts(condition: &Condition) -> Vec<&str> {
    match condition {
        Condition::All(inner) | Condition::Any(inner) => inner.iter().flat_map(texts).collect(),
        Condition::Compare(Comparison { text, .. }) => vec![text],
    }
}

fn dip() -> Value {
    json!({"indicator": "rsi($period)", "comparator": "<", "value": "$oversold"})
}

/// The example of the API's documentation without its trailing stop.
fn documented() -> Value {
    json!({
        "entry_rules": {"operator": "and", "conditions": [
            {"indicator": "sma", "params": {"period": 50, "source": "close"}, "comparator": "crosses_above", "value": "sma(200)"},
            {"operator": "or", "conditions": [
                {"indicator": "rsi(14)", "comparator": "<", "value": "$oversold"},
                {"indicator": "close", "comparator": ">", "value": "highest(high, 20)[1] * 1.01"}]}]},
        "exit_rules": {"operator": "or", "conditions": [{"indicator": "macd(12, 26, 9).macd", "comparator": "crosses_below", "value": "macd(12, 26, 9).signal"}]},
        "config": {"position_sizing": "percent_of_equity", "size": 50, "risk_percentage": 1, "stop_loss": 5, "take_profit": 10, "direction": "long"},
        "default_parameters": {"oversold": 30}
    })
}

#[test]
fn the_documented_strategy_is_bound() {
    let definition = parse(documented()).unwrap();
    assert_eq!(definition.kind(), "rules");
    let bound = definition.bind(&numbers(&[("oversold", 25.0)])).unwrap();
    assert_eq!(
        texts(&bound.entry),
        ["sma(50) crosses_above sma(200)", "rsi(14) < 25", "close > highest(high, 20)[1] * 1.01"]
    );
    assert_eq!(
        texts(&bound.exit.unwrap()),
        ["macd(12, 26, 9).macd crosses_below macd(12, 26, 9).signal"]
    );
    assert_eq!(bound.config.sizing, Sizing::PercentOfEquity(Decimal::new(5, 1)));
    let stops = (Some(Decimal::new(5, 2)), Some(Decimal::new(1, 1)));
    assert_eq!((bound.config.stop_loss, bound.config.take_profit), stops);
    assert_eq!(bound.config.direction, Directions::Long);
}

#[test]
fn the_documented_strategy_is_valid_with_its_warm_up() {
    let validation = validate_strategy(&body(documented()));
    assert_eq!(validation.errors, []);
    assert_eq!(found(&validation.warnings), [("config.risk_percentage", "unused_setting")]);
    // The first value of sma(200) is at index 199.
    assert_eq!(validation.warmup_candles, Some(200));
}

#[rstest]
#[case::a_lag_lengthens_it(json!({"indicator": "sma(200)[10]", "comparator": ">", "value": 1}), 210)]
#[case::macd_shows_at_slow_plus_signal(json!({"indicator": "macd", "comparator": ">", "value": 1}), 34)]
#[case::a_source_needs_none(json!({"indicator": "close", "comparator": ">", "value": 0}), 1)]
fn the_warm_up_is_one_more_than_the_first_defined_index(
    #[case] rule: Value,
    #[case] expected: usize,
) {
    let validation = validate_strategy(&body(json!({"entry_rules": rule})));
    assert_eq!(validation.warmup_candles, Some(expected));
}

#[rstest]
#[case::nothing(json!({}), "entry_rules", "required")]
#[case::nulls(json!({"code_ref": null, "entry_rules": null}), "entry_rules", "required")]
#[case::an_exit_only(json!({"exit_rules": {"indicator": "close", "comparator": ">", "value": 1}}), "entry_rules", "required")]
#[case::both(json!({"code_ref": "golden_cross", "entry_rules": {"indicator": "close", "comparator": ">", "value": 1}}), "code_ref", "conflict")]
#[case::an_unknown_code_ref(json!({"code_ref": "golden_cros"}), "code_ref", "unknown_code_ref")]
#[case::a_number_as_code_ref(json!({"code_ref": 3}), "code_ref", "invalid")]
#[case::rules_that_are_a_list(json!({"entry_rules": []}), "entry_rules", "invalid")]
#[case::config_that_is_a_text(json!({"code_ref": "golden_cross", "config": "x"}), "config", "invalid")]
#[case::a_wrong_trailing_stop(json!({"code_ref": "golden_cross", "config": {"trailing_stop": -8}}), "config.trailing_stop", "out_of_range")]
#[case::an_unknown_setting(json!({"code_ref": "golden_cross", "config": {"martingale": 2}}), "config.martingale", "unsupported_setting")]
#[case::shorts_without_direction_both(
    json!({"entry_rules": {"indicator": "close", "comparator": ">", "value": 1}, "short_entry_rules": {"indicator": "close", "comparator": "<", "value": 1}}),
    "short_entry_rules",
    "invalid"
)]
#[case::parameters_that_are_a_list(json!({"code_ref": "golden_cross", "default_parameters": []}), "default_parameters", "invalid")]
#[case::a_parameter_that_is_a_list(json!({"code_ref": "golden_cross", "default_parameters": {"short": []}}), "default_parameters.short", "invalid")]
#[case::a_parameter_that_is_not_finite(json!({"code_ref": "golden_cross", "default_parameters": {"short": "inf"}}), "default_parameters.short", "invalid")]
#[case::a_parameter_with_a_strange_name(json!({"code_ref": "golden_cross", "default_parameters": {"a b": 1}}), "default_parameters.a b", "invalid")]
#[case::an_unknown_parameter(json!({"code_ref": "golden_cross", "default_parameters": {"shrt": 1}}), "default_parameters.shrt", "unknown_parameter")]
#[case::a_period_of_zero(json!({"code_ref": "golden_cross", "default_parameters": {"short": 0}}), "default_parameters.short", "out_of_range")]
#[case::a_fractional_period(json!({"code_ref": "golden_cross", "default_parameters": {"short": 2.5}}), "default_parameters.short", "out_of_range")]
#[case::short_above_long(json!({"code_ref": "golden_cross", "default_parameters": {"short": 200}}), "default_parameters.short_window", "out_of_range")]
#[case::two_names_of_one(json!({"code_ref": "golden_cross", "default_parameters": {"short": 20, "short_window": 30}}), "default_parameters.short_window", "conflict")]
fn a_wrong_body_is_refused(#[case] value: Value, #[case] field: &str, #[case] code: &str) {
    let errors = parse(value).unwrap_err();
    assert!(found(&errors).contains(&(field, code)), "{errors:?}");
}

#[test]
fn all_parts_of_a_body_are_reported_at_once() {
    let errors = parse(json!({
        "entry_rules": {"indicator": "smaa", "comparator": ">", "value": 1},
        "exit_rules": {"indicator": "sma(0)", "comparator": "=>", "value": "$x"},
        "config": {"direction": "up", "martingale": 3},
        "default_parameters": {"y": true},
    }))
    .unwrap_err();
    let mut found = found(&errors);
    found.sort_unstable();
    let expected = [
        ("config.direction", "invalid"),
        ("config.martingale", "unsupported_setting"),
        ("default_parameters.y", "invalid"),
        ("entry_rules.indicator", "unknown_indicator"),
        ("exit_rules.comparator", "unknown_comparator"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn exit_rules_may_be_absent() {
    let definition =
        parse(json!({"entry_rules": {"indicator": "close", "comparator": ">", "value": 0}}));
    let bound = definition.unwrap().bind(&BTreeMap::new()).unwrap();
    assert_eq!(bound.exit, None);
}

#[test]
fn both_directions_have_rules_of_their_own() {
    let up = json!({"indicator": "close", "comparator": ">", "value": 1});
    let down = json!({"indicator": "close", "comparator": "<", "value": 1});
    let definition = parse(json!({
        "entry_rules": up, "exit_rules": down, "short_entry_rules": down, "short_exit_rules": up,
        "config": {"direction": "both"},
    }));
    let bound = definition.unwrap().bind(&BTreeMap::new()).unwrap();
    assert_eq!(texts(&bound.short_entry.unwrap()), ["close < 1"]);
    assert_eq!(texts(&bound.short_exit.unwrap()), ["close > 1"]);
}

#[test]
fn parameters_override_defaults_and_unknown_ones_are_refused() {
    let definition = parse(json!({
        "entry_rules": dip(), "default_parameters": {"period": 14, "oversold": "30"},
    }))
    .unwrap();
    let merged = definition.merge_parameters(&numbers(&[("oversold", 20.0)])).unwrap();
    assert_eq!(merged, numbers(&[("oversold", 20.0), ("period", 14.0)]));
    let errors = definition.merge_parameters(&numbers(&[("oversolt", 20.0)])).unwrap_err();
    assert_eq!(found(&errors), [("parameters.oversolt", "unknown_parameter")]);
    assert!(errors[0].message.contains("did you mean `oversold`?"), "{}", errors[0].message);
}

#[test]
fn a_parameter_that_makes_a_period_zero_is_refused_by_its_name() {
    let definition = parse(json!({
        "entry_rules": dip(), "default_parameters": {"period": 14, "oversold": 30},
    }))
    .unwrap();
    let errors = definition.merge_parameters(&numbers(&[("period", 0.0)])).unwrap_err();
    assert_eq!(found(&errors), [("parameters.period", "invalid_period")]);
    assert!(errors[0].message.starts_with("period 0:"), "{}", errors[0].message);
    let defaults =
        json!({"entry_rules": dip(), "default_parameters": {"period": 0, "oversold": 3}});
    let errors = parse(defaults).unwrap_err();
    assert_eq!(found(&errors), [("default_parameters.period", "invalid_period")]);
}

#[test]
fn an_alias_in_parameters_means_the_canonical_name() {
    let definition = parse(json!({"code_ref": "core.strategies.GoldenCross"})).unwrap();
    let merged = definition.merge_parameters(&numbers(&[("short", 20.0), ("slow", 90.0)])).unwrap();
    assert_eq!(merged, numbers(&[("long_window", 90.0), ("short_window", 20.0)]));
    let same = numbers(&[("short", 20.0), ("short_window", 20.0)]);
    assert!(definition.merge_parameters(&same).is_ok());
    let errors = definition.merge_parameters(&numbers(&[("short", 300.0)])).unwrap_err();
    assert_eq!(found(&errors), [("parameters.short_window", "out_of_range")]);
}

#[test]
fn a_parameter_that_no_rule_uses_is_a_warning() {
    let value = json!({
        "entry_rules": dip(), "default_parameters": {"period": 14, "oversold": 30, "idle": 1},
    });
    let validation = validate_strategy(&body(value));
    assert!(validation.valid);
    assert_eq!(found(&validation.warnings), [("default_parameters.idle", "unused_parameter")]);
}

#[test]
fn equal_content_is_stored_as_equal_json() {
    let one = json!({
        "code_ref": null,
        "entry_rules": {"indicator": "close", "params": null, "comparator": ">", "value": 50.0},
        "config": {},
    });
    let other = json!({"entry_rules": {"indicator": "close", "comparator": ">", "value": 50}});
    assert_eq!(parse(one).unwrap(), parse(other.clone()).unwrap());
    let definition = parse(other.clone()).unwrap();
    let expected = json!({"entry_rules": other["entry_rules"], "default_parameters": {}});
    assert_eq!(serde_json::to_value(definition).unwrap(), expected);
}

#[test]
fn a_stored_definition_is_read_back_and_bound() {
    let definition = parse(documented()).unwrap();
    let text = serde_json::to_string(&definition).unwrap();
    let read: StrategyDefinition = serde_json::from_str(&text).unwrap();
    assert_eq!(read, definition);
    assert!(read.bind(&read.default_parameters).is_ok());
}
