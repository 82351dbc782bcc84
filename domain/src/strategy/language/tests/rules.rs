//! Rules: groups and conditions in JSON, and every error at its path.

use std::collections::BTreeMap;

use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    fields::FieldError,
    number::Number,
    simulation::rules::{Comparator, Condition, Test},
    strategy::language::{bind::Binder, rules},
};

/// The rule bound with these parameters, or its errors.
fn bound(rule: &Value, parameters: &[(&str, f64)]) -> Result<Condition, Vec<FieldError>> {
    let pairs = parameters.iter();
    let parameters: BTreeMap<_, _> =
        pairs.map(|(name, value)| ((*name).to_owned(), Number::try_new(*value).unwrap())).collect();
    let mut errors = Vec::new();
    let rule = rules::read("entry_rules", rule, &mut errors);
    let condition = rule.and_then(|rule| {
        let parameters_field = "default_parameters";
        Binder::new(&parameters, parameters_field, &mut errors).bind(&rule)
    });
    if errors.is_empty() { Ok(condition.unwrap()) } else { Err(errors) }
}

fn errors(rule: &Value) -> Vec<(String, String)> {
    let errors = bound(rule, &[]).unwrap_err();
    errors.into_iter().map(|error| (error.field, error.code.to_string())).collect()
}

/// The only comparison's text.
fn text(condition: &Value, parameters: &[(&str, f64)]) -> String {
    match bound(condition, parameters).unwrap() {
        Condition::Compare(comparison) => comparison.text,
        other @ (Condition::All(_) | Condition::Any(_)) => panic!("{other:?}"),
    }
}

#[rstest]
#[case::sign(json!({"indicator": "rsi(14)", "comparator": "<", "value": 30}), "rsi(14) < 30")]
#[case::word(json!({"indicator": "rsi", "comparator": "LTE", "value": "30"}), "rsi(14) <= 30")]
#[case::bare_name_with_params(
    json!({"indicator": "sma", "params": {"period": 50, "source": "close"}, "comparator": "crosses_above", "value": "sma(200)"}),
    "sma(50) crosses_above sma(200)"
)]
#[case::params_as_texts(
    json!({"indicator": "EMA", "params": {"period": "50", "source": "HLC3"}, "comparator": "gt", "value": "close[1]"}),
    "ema(50, hlc3) > close[1]"
)]
#[case::output_and_lag_with_params(
    json!({"indicator": "macd.signal[1]", "params": {"fast": 5, "slow": 35, "signal": null}, "comparator": ">", "value": 0}),
    "macd(5, 35, 9).signal[1] > 0"
)]
#[case::between_as_comparator(
    json!({"indicator": "rsi", "comparator": "between", "value": [30, "$high"]}),
    "rsi(14) between 30 and 70.5"
)]
#[case::between_with_a_pair(
    json!({"indicator": "close", "between": ["bbands.lower", "bbands.upper"]}),
    "close between bbands(20, 2).lower and bbands(20, 2).upper"
)]
#[case::a_parameter(json!({"indicator": "rsi($period)", "comparator": "<", "value": "-$high"}), "rsi(21) < -70.5")]
#[case::a_parameter_in_params(
    json!({"indicator": "rsi", "params": {"period": "$period"}, "comparator": "!=", "value": "$high * 2"}),
    "rsi(21) != 70.5 * 2"
)]
fn a_condition_reads_as(#[case] condition: Value, #[case] expected: &str) {
    assert_eq!(text(&condition, &[("high", 70.5), ("period", 21.0)]), expected);
}

#[rstest]
#[case(">", "gt", Comparator::Greater)]
#[case(">=", "gte", Comparator::GreaterOrEqual)]
#[case("<", "lt", Comparator::Less)]
#[case("<=", "lte", Comparator::LessOrEqual)]
#[case("==", "eq", Comparator::Equal)]
#[case("!=", "neq", Comparator::NotEqual)]
#[case("crosses_above", "CROSSES_ABOVE", Comparator::CrossesAbove)]
#[case("crosses_below", "Crosses_Below", Comparator::CrossesBelow)]
fn a_comparator_has_a_sign_and_a_word(
    #[case] sign: &str,
    #[case] word: &str,
    #[case] expected: Comparator,
) {
    for text in [sign, word] {
        let condition = json!({"indicator": "close", "comparator": text, "value": 1});
        let Condition::Compare(comparison) = bound(&condition, &[]).unwrap() else { panic!() };
        let Test::Is(comparator, _) = comparison.test else { panic!() };
        assert_eq!(comparator, expected);
    }
}

#[test]
fn groups_nest() {
    let up = json!({"indicator": "close", "comparator": ">", "value": 1});
    let rule =
        json!({"operator": "AND", "conditions": [up, {"operator": "or", "conditions": [up, up]}]});
    let Condition::All(all) = bound(&rule, &[]).unwrap() else { panic!() };
    let [Condition::Compare(_), Condition::Any(any)] = all.as_slice() else { panic!() };
    assert_eq!(any.len(), 2);
}

#[test]
fn every_error_is_reported_at_its_path() {
    let rule = json!({"operator": "xor", "conditions": [
        {"indicator": "smaa(3)", "comparator": "=>", "value": "emma(3)"},
        {"indicator": "sma", "params": {"period": 0, "sorce": "close"}, "comparator": ">", "value": 1},
        {"operator": "and", "conditions": []},
        {"operator": "and"},
        {"conditions": [{"indicator": "rsi(0)", "comparator": "<", "value": "$oversold"}]},
        {"comparator": ">", "valu": 3},
        7,
        {"indicator": "close", "comparator": "between", "value": [1, 2, 3]},
        {"indicator": "close", "comparator": "between", "value": [true, "foo"]},
    ]});
    let expected = [
        ("entry_rules.operator", "unknown_operator"),
        ("entry_rules.conditions[0].indicator", "unknown_indicator"),
        ("entry_rules.conditions[0].comparator", "unknown_comparator"),
        ("entry_rules.conditions[0].value", "unknown_indicator"),
        ("entry_rules.conditions[1].params.sorce", "unknown_argument"),
        ("entry_rules.conditions[2].conditions", "empty_group"),
        ("entry_rules.conditions[3].conditions", "required"),
        ("entry_rules.conditions[4].operator", "required"),
        ("entry_rules.conditions[5].valu", "unknown_field"),
        ("entry_rules.conditions[5].indicator", "required"),
        ("entry_rules.conditions[5].value", "required"),
        ("entry_rules.conditions[6]", "invalid"),
        ("entry_rules.conditions[7].value", "invalid"),
        ("entry_rules.conditions[8].value[0]", "invalid"),
        ("entry_rules.conditions[8].value[1]", "unknown_indicator"),
    ]
    .map(|(field, code)| (field.to_owned(), code.to_owned()));
    assert_eq!(errors(&rule), expected);
}

#[test]
fn arguments_out_of_range_are_reported_where_they_stand() {
    let rule = json!({"operator": "and", "conditions": [
        {"indicator": "sma", "params": {"period": 0}, "comparator": ">", "value": "sma(2.5)"},
        {"indicator": "bbands(20, -1).upper", "comparator": ">", "value": "macd(26, 12)"},
        {"indicator": "rsi($period)", "comparator": ">", "value": "$missing"},
        {"indicator": "rsi($period)", "comparator": "<", "value": "$perod"},
    ]});
    let errors = bound(&rule, &[("period", 0.0)]).unwrap_err();
    let found: Vec<_> =
        errors.iter().map(|error| (error.field.as_str(), error.code.as_str())).collect();
    let expected = [
        ("entry_rules.conditions[0].params.period", "invalid_period"),
        ("entry_rules.conditions[0].value", "invalid_period"),
        ("entry_rules.conditions[1].indicator", "out_of_range"),
        ("entry_rules.conditions[1].value", "invalid_period"),
        ("default_parameters.period", "invalid_period"),
        ("entry_rules.conditions[2].value", "unknown_parameter"),
        ("entry_rules.conditions[3].value", "unknown_parameter"),
    ];
    assert_eq!(found, expected);
    assert!(errors[0].message.starts_with("period 0:"), "{}", errors[0].message);
    assert!(errors[6].message.ends_with("did you mean `period`?"), "{}", errors[6].message);
}

#[rstest]
#[case(json!({"indicator": "sma(20)", "params": {"period": 3}, "comparator": ">", "value": 1}), "indicator", "invalid")]
#[case(json!({"indicator": "close", "params": {"period": 3}, "comparator": ">", "value": 1}), "indicator", "invalid")]
#[case(json!({"indicator": "sma + 1", "params": {}, "comparator": ">", "value": 1}), "indicator", "invalid")]
#[case(json!({"indicator": 3, "params": {}, "comparator": ">", "value": 1}), "indicator", "invalid")]
#[case(json!({"indicator": "sma", "params": [3], "comparator": ">", "value": 1}), "params", "invalid")]
#[case(json!({"indicator": "sma", "params": {"period": "x"}, "comparator": ">", "value": 1}), "params.period", "invalid")]
#[case(json!({"indicator": "close", "comparator": ">", "value": 1, "between": [1, 2]}), "comparator", "conflict")]
#[case(json!({"indicator": "close", "value": 1, "between": [1, 2]}), "between", "conflict")]
#[case(json!({"indicator": "close", "comparator": 3, "value": 1}), "comparator", "invalid")]
#[case(json!({"indicator": "close", "value": 1}), "comparator", "required")]
#[case(json!({"indicator": "close", "comparator": "between", "value": 1}), "value", "invalid")]
#[case(json!({"indicator": "close", "comparator": ">", "value": [1, 2]}), "value", "invalid")]
fn a_wrong_condition_is_refused(
    #[case] condition: Value,
    #[case] member: &str,
    #[case] code: &str,
) {
    assert_eq!(errors(&condition), [(format!("entry_rules.{member}"), code.to_owned())]);
}

#[test]
fn groups_may_be_nested_16_deep_and_no_deeper() {
    let nested = |depth: usize| {
        let inner = json!({"indicator": "close", "comparator": ">", "value": 1});
        (0..depth).fold(inner, |inner, _| json!({"operator": "and", "conditions": [inner]}))
    };
    assert!(bound(&nested(16), &[]).is_ok());
    assert_eq!(errors(&nested(17))[0].1, "too_deep");
}

#[rstest]
#[case::unknown_fields(|name: String| json!({name: 1}))]
#[case::params(|name: String| json!({"indicator": "sma", "params": {name: 1}, "comparator": ">", "value": 1}))]
fn a_megabyte_of_a_name_gives_short_errors(#[case] wrap: fn(String) -> Value) {
    let errors = bound(&wrap("x".repeat(1_000_000)), &[]).unwrap_err();
    assert!(errors.iter().all(|error| error.field.len() + error.message.len() < 500));
}

#[test]
fn many_unknown_names_give_few_errors() {
    let names: serde_json::Map<_, _> =
        (0..100_000).map(|index| (format!("x{index}"), json!(1))).collect();
    let condition = json!({"indicator": "sma", "params": names, "comparator": ">", "value": 1});
    assert_eq!(errors(&condition), [("entry_rules.params".to_owned(), "invalid".to_owned())]);
    assert_eq!(errors(&Value::Object(names)).len(), 13);
}

#[test]
fn a_strategy_uses_at_most_100_different_indicators() {
    let sums: Vec<_> = (1..=101).map(|period| format!("sma({period})")).collect();
    let of = |sums: &[String]| {
        let chunks = sums.chunks(20).map(|chunk| chunk.join("+"));
        let conditions: Vec<_> =
            chunks.map(|sum| json!({"indicator": sum, "comparator": ">", "value": 1})).collect();
        json!({"operator": "or", "conditions": conditions})
    };
    assert!(bound(&of(&sums[..100]), &[]).is_ok());
    let expected = ("entry_rules.conditions[5].indicator", "too_many_indicators");
    assert_eq!(errors(&of(&sums)), [(expected.0.to_owned(), expected.1.to_owned())]);
}

#[test]
fn a_megabyte_of_conditions_gives_one_more_error_than_allowed_conditions() {
    let rule = json!({"operator": "or", "conditions": vec![json!({}); 300_000]});
    let errors = errors(&rule);
    assert_eq!(errors.last().unwrap().1, "too_many_conditions");
    assert_eq!(errors.len(), 200 * 3 + 1);
}
