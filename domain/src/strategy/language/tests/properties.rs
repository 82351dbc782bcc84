//! Properties: no input makes the language panic, and what it prints it reads back.

use proptest::prelude::*;
use serde_json::{Map, Value};

use crate::{
    simulation::{indicators, rules::Arithmetic, source::Source},
    strategy::{
        language::{
            Expression,
            expression::{Argument, Call},
            parse,
            syntax::work::atoms_begun,
        },
        validate_strategy,
    },
};

fn sources() -> impl Strategy<Value = Source> {
    let names = ["open", "high", "low", "close", "volume", "hl2", "hlc3", "ohlc4"];
    prop::sample::select(names.to_vec()).prop_map(|name| Source::parse(name).unwrap())
}

fn numbers() -> impl Strategy<Value = f64> {
    prop_oneof![(-1000i32..1000).prop_map(f64::from), -1e9..1e9, 0.0..1e-6]
}

fn arguments() -> impl Strategy<Value = Argument> {
    prop_oneof![
        numbers().prop_map(Argument::Number),
        "[a-z_][a-z0-9_]{0,8}".prop_map(Argument::Parameter),
    ]
}

fn calls() -> impl Strategy<Value = Call> {
    let specs = prop::sample::select(indicators::ALL.to_vec());
    let parts =
        (specs, prop::collection::vec(arguments(), 4), sources(), any::<prop::sample::Index>());
    parts.prop_map(|(spec, mut numbers, source, output)| {
        use crate::simulation::indicators::ParameterKind;
        let has_source =
            spec.parameters.iter().any(|known| matches!(known.kind, ParameterKind::Source { .. }));
        numbers.truncate(spec.parameters.len() - usize::from(has_source));
        let source = if has_source { source } else { Source::Close };
        Call { spec, numbers, source, output: output.index(spec.outputs.len()) }
    })
}

fn expressions() -> impl Strategy<Value = Expression> {
    let leaf = prop_oneof![
        numbers().prop_map(Expression::Number),
        "[a-z_][a-z0-9_]{0,8}".prop_map(Expression::Parameter),
        sources().prop_map(Expression::Source),
        calls().prop_map(Expression::Call),
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        let operator = prop::sample::select(vec![
            Arithmetic::Add,
            Arithmetic::Subtract,
            Arithmetic::Multiply,
            Arithmetic::Divide,
        ]);
        prop_oneof![
            (inner.clone(), 1usize..100).prop_map(|(inner, candles)| lag(inner, candles)),
            inner.clone().prop_map(negate),
            (operator, inner.clone(), inner.clone()).prop_map(|(operator, left, right)| {
                Expression::Arithmetic(operator, Box::new(left), Box::new(right))
            }),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expression::Min),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expression::Max),
            inner.prop_map(|inner| Expression::Abs(Box::new(inner))),
        ]
    })
}

/// As the parser makes them: lags of lags add up, signs cancel out.
fn lag(inner: Expression, candles: usize) -> Expression {
    if let Expression::Lag(inner, before) = inner {
        Expression::Lag(inner, before + candles)
    } else {
        Expression::Lag(Box::new(inner), candles)
    }
}

fn negate(inner: Expression) -> Expression {
    if let Expression::Negate(inner) = inner { *inner } else { inner.negated() }
}

/// Any JSON, of words that the language knows.
fn values() -> impl Strategy<Value = Value> {
    let words = vec![
        "operator",
        "conditions",
        "and",
        "or",
        "indicator",
        "comparator",
        "value",
        "params",
        "between",
        "sma",
        "sma(20)",
        "close",
        ">",
        "crosses_above",
        "$a",
        "period",
        "entry_rules",
    ];
    let word = prop::sample::select(words);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word.clone().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((word.clone(), inner), 0..6).prop_map(|members| {
                let named = members.into_iter().map(|(name, value)| (name.to_owned(), value));
                Value::Object(named.collect::<Map<_, _>>())
            }),
        ]
    })
}

/// Words and signs of the language in any order: most of it is nearly right.
fn nearly_expressions() -> impl Strategy<Value = String> {
    let words = vec![
        "(",
        "(",
        ")",
        ")",
        "[",
        "]",
        ",",
        ".",
        "+",
        "-",
        "*",
        "/",
        " ",
        "=",
        "$",
        "$a",
        "1",
        "0.5",
        "1e308",
        "99999999999999999999",
        "close",
        "volume",
        "sma",
        "sma(",
        "min(",
        "max(",
        "abs(",
        "rsi(14)",
        "macd(12, 26, 9).signal",
        "bbands(20, 2)",
        "[1]",
        "[10000]",
        "period",
        "source",
        "é",
    ];
    prop::collection::vec(prop::sample::select(words), 0..150).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn no_words_of_its_own_make_it_panic_or_read_twice(text in nearly_expressions()) {
        let work = atoms_begun(|| drop(parse(&text)));
        // Every atom but the last begins at another byte.
        prop_assert!(work <= text.len() + 1, "{work} atoms of {} bytes: {text}", text.len());
    }

    #[test]
    fn what_is_printed_is_read_back(expression in expressions()) {
        let text = expression.to_string();
        if text.len() <= super::super::EXPRESSION_LENGTH_MAX {
            prop_assert_eq!(parse(&text).map_err(|faults| format!("{text}: {faults:?}")), Ok(expression));
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in ".{0,200}") {
        let _ = parse(&text);
    }

    #[test]
    fn no_text_of_its_own_signs_makes_it_panic(text in "[a-z0-9$.,=()\\[\\]+*/ e-]{0,80}") {
        let _ = parse(&text);
    }

    #[test]
    fn no_body_makes_it_panic(rules in values(), config in values(), parameters in values()) {
        let mut body = Map::new();
        body.insert("entry_rules".to_owned(), rules);
        body.insert("config".to_owned(), config);
        body.insert("default_parameters".to_owned(), parameters);
        let validation = validate_strategy(&body);
        prop_assert_eq!(validation.valid, validation.errors.is_empty());
        prop_assert_eq!(validation.valid, validation.warmup_candles.is_some());
    }
}

/// Texts that make a careless parser start again and again.
#[test]
fn the_work_grows_as_the_text_does() {
    let deep = |open: &str, close: &str, depth: usize| {
        format!("{}close{}", open.repeat(depth), close.repeat(depth))
    };
    let shapes: [&dyn Fn(usize) -> String; 6] = [
        &|n| deep("(", ")", n),
        &|n| deep("abs(", ")", n),
        &|n| deep("min(1, ", ")", n),
        &|n| deep("abs(", "", n),
        &|n| vec!["close"; n].join(" + "),
        &|n| format!("min({}", vec!["sma(period=2"; n].join(",")),
    ];
    for shape in shapes {
        for n in [1, 2, 4, 8, 16, 32] {
            let text = shape(n);
            let work = atoms_begun(|| drop(parse(&text)));
            assert!(work <= 2 * n + 2, "{work} atoms for {n} of {text}");
        }
    }
}

/// A body of so many conditions, each with a different indicator.
fn wide(conditions: usize) -> Map<String, Value> {
    let condition = |n: usize| serde_json::json!({"indicator": format!("sma({})", n + 1), "comparator": ">", "value": "close * (1 + 0.5)"});
    let list: Vec<Value> = (0..conditions).map(condition).collect();
    let rules = serde_json::json!({"operator": "and", "conditions": list});
    Map::from_iter([("entry_rules".to_owned(), rules)])
}

#[test]
fn the_work_of_a_body_grows_as_the_body_does_and_ends_at_its_limits() {
    let work = |conditions| atoms_begun(|| drop(validate_strategy(&wide(conditions))));
    let one = work(1);
    for conditions in [2, 10, 50, 100, 200] {
        assert!(work(conditions) <= conditions * one, "{conditions}");
    }
    assert!(work(5_000) <= 201 * one);
}
