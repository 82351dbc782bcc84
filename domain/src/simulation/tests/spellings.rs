//! What is the same however it is written has one result hash, and what means something else has another.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::{
    number::Number,
    run_spec::RunSpec,
    simulation::{
        equity::EquityPoint,
        hash::{Digest, result_hash},
        metrics::Metrics,
    },
};

/// The result hash of a request, everything else being equal.
#[expect(clippy::needless_pass_by_value, reason = "a literal at each call")]
fn hash(body: Value, metadata: Value, parameters: Value, balance: &str) -> String {
    let definition = StrategyDefinition::parse(body.as_object().unwrap())
        .unwrap_or_else(|errors| panic!("{errors:?} in {body}"));
    let mut errors = Vec::new();
    let given = crate::strategy::parameters::read("parameters", Some(&parameters), &mut errors);
    assert_eq!(errors, []);
    let parameters: BTreeMap<String, Number> = definition.merge_parameters(&given).unwrap();
    let strategy = definition.bind(&parameters).unwrap();
    let run = RunSpec {
        parameters,
        settings: settings(metadata),
        initial_balance: balance.parse().unwrap(),
        ..RunSpec::example(definition)
    };
    let digest = Digest([7; 32]);
    let points = [EquityPoint { time: 0, equity: 1.0 }];
    let hash = result_hash(digest, &run, &strategy, digest, &Metrics::default(), &points);
    hash.unwrap().to_string()
}

fn of_rules(entry: &Value, config: &Value) -> String {
    let body = json!({"entry_rules": entry, "config": config});
    hash(body, json!({}), json!({}), "10000")
}

fn of_config(config: &Value) -> String {
    of_rules(&json!({"indicator": "close", "comparator": ">", "value": 1}), config)
}

fn of_metadata(metadata: Value) -> String {
    let rules = json!({"indicator": "close", "comparator": ">", "value": 1});
    hash(json!({"entry_rules": rules}), metadata, json!({}), "10000")
}

/// A number in one of its spellings: of the JSON, of a string.
fn spelt(number: f64, spelling: usize) -> Value {
    match spelling % 4 {
        0 => json!(number),
        1 => json!(format!("{number}")),
        2 if number.fract() == 0.0 => json!(format!(" {number}.0 ")),
        2 => json!(format!(" {number}00 ")),
        _ => json!(format!("{number:e}")),
    }
}

const SIGNS: [(&str, &str); 6] =
    [(">", "gt"), (">=", "GTE"), ("<", "lt"), ("<=", "LTE"), ("==", "eq"), ("!=", "neq")];

/// A comparison, so many different ones, each in several spellings.
#[derive(Debug, Clone)]
struct Written {
    period: u32,
    source: bool,
    sign: usize,
    value: i32,
    lag: u32,
}

impl Written {
    fn json(&self, spelling: usize) -> Value {
        let Self { period, source, sign, value, lag } = self;
        let source_name = if *source { "hl2" } else { "close" };
        let (sign, word) = SIGNS[*sign];
        let lag = if *lag == 0 { String::new() } else { format!("[{lag}]") };
        let call = match spelling % 5 {
            0 if !source => json!(format!("sma({period}){lag}")),
            0 | 1 => json!(format!("sma({period}, {source_name}){lag}")),
            2 => json!(format!(" SMA( source = {source_name} , period={period}.0 ) {lag}")),
            3 => json!(format!(
                "--sma({period}, {source_name}){}{lag}",
                if lag.is_empty() { "[0]" } else { "" }
            )),
            _ => json!(format!("sma{lag}")),
        };
        let mut condition = json!({
            "indicator": call,
            "comparator": if (spelling / 5).is_multiple_of(2) { sign } else { word },
            "value": spelt(f64::from(*value) / 4.0, spelling / 10),
        });
        if spelling % 5 == 4 {
            condition["params"] = json!({"period": spelt(f64::from(*period), spelling / 7)});
            if *source || (spelling / 3).is_multiple_of(2) {
                condition["params"]["source"] = json!(source_name.to_uppercase());
            }
        }
        match spelling / 11 % 3 {
            0 => condition,
            1 => json!({"operator": "and", "conditions": [condition]}),
            _ => {
                json!({"operator": "OR", "conditions": [{"operator": "and", "conditions": [condition]}]})
            }
        }
    }
}

fn written() -> impl Strategy<Value = Written> {
    let parts = (1..300_u32, any::<bool>(), 0..SIGNS.len(), -8..400_i32, 0..3_u32);
    parts.prop_map(|(period, source, sign, value, lag)| Written {
        period,
        source,
        sign,
        value,
        lag,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn spellings_of_rules_that_bind_equally_hash_equally(
        rules in prop::collection::vec(written(), 1..4),
        others in prop::collection::vec(written(), 1..4),
        spellings in prop::array::uniform8(any::<u16>()),
    ) {
        let group = |rules: &[Written], from: usize| {
            let parts: Vec<Value> = rules.iter().zip(&spellings[from..])
                .map(|(rule, spelling)| rule.json(usize::from(*spelling))).collect();
            // The first two as a group of the same kind within the group, or not.
            match parts.split_at_checked(2) {
                Some((first, rest)) if spellings[from] % 2 == 1 => {
                    let mut parts = vec![json!({"operator": "and", "conditions": first})];
                    parts.extend_from_slice(rest);
                    json!({"operator": "and", "conditions": parts})
                }
                _ => json!({"operator": "And", "conditions": parts}),
            }
        };
        let hashes = [group(&rules, 0), group(&rules, 4)].map(|rules| of_rules(&rules, &json!({})));
        prop_assert_eq!(&hashes[0], &hashes[1]);
        let meaning = |rules: &[Written]| rules.iter().map(|rule| format!("{rule:?}")).collect::<Vec<_>>();
        let other = of_rules(&group(&others, 2), &json!({}));
        prop_assert_eq!(other == hashes[0], meaning(&rules) == meaning(&others));
    }

    #[test]
    fn numbers_of_configs_and_settings_hash_as_they_are_worth(
        stop in 1..500_u32, size in 1..1_000_u32, bps in 0..400_u32, other in 1..500_u32,
        spellings in prop::array::uniform8(0..4_usize),
    ) {
        let hash = |stop: u32, at: usize| {
            let config = json!({"stop_loss": spelt(f64::from(stop) / 10.0, spellings[at]),
                "position_sizing": "percent_of_equity", "size": spelt(f64::from(size) / 10.0, spellings[at + 1])});
            let metadata = json!({"slippage_bps": spelt(f64::from(bps) / 8.0, spellings[at + 2]),
                "lot": spelt(0.001, spellings[at + 3])});
            let rules = json!({"indicator": "close", "comparator": ">", "value": "$level"});
            let body = json!({"entry_rules": rules, "config": config,
                "default_parameters": {"level": spelt(f64::from(other), spellings[at])}});
            hash(body, metadata, json!({}), ["10000", "1e4", "10000.000", "10000.0"][spellings[at]].replace("1e4", "10000").as_str())
        };
        prop_assert_eq!(hash(stop, 0), hash(stop, 4));
        prop_assert_eq!(hash(stop, 0) == hash(other, 4), stop == other);
    }
}

#[rstest]
#[case(json!({}), json!({"direction": "long", "position_sizing": "all_in", "entry_order": "market",
    "entry_valid_candles": 1, "max_entries": "1", "position_mode": "single", "partial_take_profits": []}))]
#[case(json!({"stop_loss": 5}), json!({"stop_loss": "5", "take_profit": null}))]
#[case(json!({"direction": "SHORT", "trailing_stop_atr": 3}),
    json!({"direction": "short", "trailing_stop_atr": "3.0", "trailing_stop_atr_period": 14}))]
#[case(json!({"partial_take_profits": [{"at": 4, "close": 50}, {"at": "2.50", "close": 25}]}),
    json!({"partial_take_profits": [{"at": 2.5, "close": "25"}, {"at": 4.0, "close": 50}]}))]
#[case(json!({"entry_order": "limit", "entry_price": "sma()"}),
    json!({"entry_order": "Limit", "entry_price": " sma(20, close)", "entry_valid_candles": "1"}))]
#[case(json!({"entry_order": "stop", "entry_price": "high[1] - -0"}),
    json!({"entry_order": "stop", "entry_price": "high[1]-0"}))]
#[case(json!({"partial_exit_rules": {"indicator": "rsi(14)", "comparator": ">", "value": 70}}),
    json!({"partial_exit_rules": {"indicator": "rsi", "params": {}, "comparator": "gt", "value": "7e1"}, "partial_exit_size": 50}))]
fn configs_that_say_the_same(#[case] one: Value, #[case] other: Value) {
    assert_eq!(of_config(&one), of_config(&other));
    assert_ne!(of_config(&one), of_config(&json!({"max_candles": 7})));
}

#[rstest]
#[case(json!({}), json!({"leverage": "1", "commission": 0.001, "commission_fixed": "0.0", "slippage_bps": 0, "spread_bps": 0,
    "fill": "next_open", "intrabar": "stop_first", "finalize": "close", "warmup": "before_start", "seed": "0",
    "preset": "backtrail", "funding_rate": 0, "funding_interval_hours": 8, "slippage_range_percentage": "0"}))]
#[case(json!({}), json!({"commission_maker": 0.001, "maintenance_margin": 0}))]
#[case(json!({"leverage": 4}), json!({"leverage": 4.0, "maintenance_margin": "0.125"}))]
#[case(json!({"lot": "0.10"}), json!({"lot": 0.1}))]
#[case(json!({"preset": "backtesting_py"}), json!({"preset": "backtesting_py", "finalize": "open", "warmup": "in_range", "commission": 0}))]
fn settings_that_say_the_same(#[case] one: Value, #[case] other: Value) {
    assert_eq!(of_metadata(one.clone()), of_metadata(other));
    assert_ne!(of_metadata(one), of_metadata(json!({"spread_bps": 3})));
}

#[test]
fn every_setting_and_every_field_of_a_config_counts() {
    let metadata = [
        json!({}),
        json!({"leverage": 2}),
        json!({"leverage": 2, "maintenance_margin": 0.3}),
        json!({"maintenance_margin": 0.3}),
        json!({"funding_rate": 0.001}),
        json!({"funding_interval_hours": 4}),
        json!({"commission": 0.002}),
        json!({"commission_maker": 0.002}),
        json!({"commission_fixed": 1}),
        json!({"slippage_bps": 1}),
        json!({"slippage_range_percentage": 1}),
        json!({"spread_bps": 1}),
        json!({"fill": "close"}),
        json!({"intrabar": "target_first"}),
        json!({"finalize": "leave_open"}),
        json!({"warmup": "in_range"}),
        json!({"lot": 1}),
        json!({"seed": 9_007_199_254_740_992_u64}),
        json!({"seed": 9_007_199_254_740_993_u64}),
        json!({"preset": "backtesting_py"}),
    ];
    let entry = json!({"indicator": "rsi", "comparator": ">", "value": 70});
    let configs = [
        json!({"position_sizing": "percent_of_equity", "size": 5}),
        json!({"position_sizing": "fixed_amount", "size": 5}),
        json!({"position_sizing": "fixed_quantity", "size": 5}),
        json!({"stop_loss": 5, "position_sizing": "risk_percentage", "risk_percentage": 5}),
        json!({"stop_loss": 5}),
        json!({"take_profit": 5}),
        json!({"direction": "short"}),
        json!({"direction": "both"}),
        json!({"entry_order": "limit", "entry_offset": 1}),
        json!({"entry_order": "limit", "entry_offset": 1, "entry_valid_candles": 2}),
        json!({"entry_order": "stop", "entry_offset": 1}),
        json!({"entry_order": "stop", "entry_price": "high"}),
        json!({"entry_order": "stop_limit", "entry_price": "high", "entry_limit_offset": 1}),
        json!({"entry_order": "stop_limit", "entry_price": "high", "entry_limit_price": "high + 1"}),
        json!({"direction": "both", "entry_order": "stop", "entry_price": "high", "short_entry_price": "low"}),
        json!({"trailing_stop": 5}),
        json!({"trailing_stop_atr": 5}),
        json!({"trailing_stop_atr": 5, "trailing_stop_atr_period": 5}),
        json!({"break_even": 5}),
        json!({"max_candles": 5}),
        json!({"partial_take_profits": [{"at": 5, "close": 5}]}),
        json!({"partial_exit_rules": entry}),
        json!({"partial_exit_rules": entry, "partial_exit_size": 5}),
        json!({"max_entries": 5}),
        json!({"direction": "both", "position_mode": "hedging"}),
        json!({"direction": "both", "position_mode": "netting"}),
        json!({"direction": "both", "position_mode": "exclusive"}),
    ];
    let mut seen = std::collections::BTreeMap::new();
    let hashes = metadata.into_iter().map(|it| (of_metadata(it.clone()), it));
    for (hash, of) in hashes.chain(configs.into_iter().map(|it| (of_config(&it), it))) {
        let before = seen.insert(hash, of.clone());
        assert_eq!(before, None, "{of}");
    }
}

#[test]
fn groups_that_mean_something_else_hash_differently() {
    let part = |value: i32| json!({"indicator": "close", "comparator": ">", "value": value});
    let group =
        |operator: &str, parts: &[Value]| json!({"operator": operator, "conditions": parts});
    let of = |rules: Value| of_rules(&rules, &json!({}));
    let and_or = of(group("and", &[part(1), group("or", &[part(2), part(3)])]));
    let or_and = of(group("or", &[part(1), group("and", &[part(2), part(3)])]));
    let all = of(group("and", &[part(1), part(2), part(3)]));
    let any = of(group("or", &[part(1), part(2), part(3)]));
    let hashes = std::collections::BTreeSet::from([&and_or, &or_and, &all, &any]);
    assert_eq!(hashes.len(), 4);
    assert_eq!(
        all,
        of(group("and", &[group("and", &[part(1), part(2)]), group("or", &[part(3)])]))
    );
    assert_eq!(any, of(group("or", &[part(1), group("and", &[group("or", &[part(2), part(3)])])])));
}

#[test]
fn parameters_count_where_they_are_used_under_any_of_their_names() {
    let golden = |parameters: Value| {
        hash(json!({"code_ref": "golden_cross"}), json!({}), parameters, "10000")
    };
    assert_eq!(golden(json!({})), golden(json!({"short": "50", "slow_window": 200.0})));
    assert_ne!(golden(json!({})), golden(json!({"short_window": 51})));
    let spelt =
        json!({"code_ref": "Golden-Cross", "config": {}, "default_parameters": {"fast": 50}});
    assert_eq!(golden(json!({})), hash(spelt, json!({}), json!({}), "10000"));
    // As rules, with the numbers in them.
    let rule = |sign: &str| json!({"indicator": "sma", "params": {"period": 50}, "comparator": sign, "value": "sma(200, close)"});
    let rules = json!({"entry_rules": rule("crosses_above"), "exit_rules": rule("CROSSES_BELOW")});
    assert_eq!(golden(json!({})), hash(rules, json!({}), json!({}), "10000"));
}

/// What a trade says of its rules is part of its ledger, and with it of the result.
#[test]
fn spellings_give_the_same_ledger() {
    let candles = candles_of("BTCUSDT_1d");
    let ledger = |entry: Value, config: Value| {
        let strategy = strategy(&json!({"entry_rules": entry, "config": config,
            "exit_rules": {"indicator": "close", "comparator": "<", "value": "sma(30)"},
            "default_parameters": {"zero": -0.0}}));
        let settings = Settings::default();
        let (_, _, ending) = recorded::record(&input(&strategy, &candles, &settings)).unwrap();
        ending.ledger_hash
    };
    let one = json!({"operator": "and", "conditions": [
        {"indicator": "rsi(14)", "comparator": ">=", "value": 55},
        {"indicator": "close - sma(20)", "comparator": ">", "value": 0}]});
    let other = json!({"operator": "and", "conditions": [
        {"operator": "or", "conditions": [{"indicator": "RSI", "params": {"period": "14"}, "comparator": "gte", "value": "55.0"}]},
        {"indicator": "(close) - sma", "comparator": "gt", "value": "-$zero"}]});
    let third = json!({"operator": "and", "conditions": [
        {"indicator": "rsi", "comparator": ">=", "value": 5.5e1},
        {"indicator": "close-sma( period=20 )", "comparator": ">", "value": -0.0}]});
    let config = json!({"stop_loss": 5});
    assert_eq!(
        ledger(one.clone(), config.clone()),
        ledger(other, json!({"stop_loss": "5", "direction": "long"}))
    );
    assert_eq!(ledger(one, config.clone()), ledger(third, config));
}
