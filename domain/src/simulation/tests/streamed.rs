//! Crossings and strict comparisons found in steps are those of whole columns.

use std::{convert::Infallible, sync::Arc};

use proptest::prelude::*;

use super::{properties::slowly, *};
use crate::simulation::{
    indicators::IndicatorCall, random::SplitMix64, rules::signals::RuleSignals,
};

/// A random walk whose price is so many times as high now and then, after which running sums begin anew.
fn walk(len: usize, seed: u64, spike: f64) -> Candles {
    let mut random = SplitMix64::new(seed);
    let mut close = 100.0;
    let row = |_| {
        close *= 1.0 + (f64::from(u32::try_from(random.below(201)).unwrap()) - 100.0) / 20_000.0;
        let spike = if random.below(900) == 0 { spike } else { 1.0 };
        let price = close * spike;
        [price, price, price, price, 1.0]
    };
    candles((0..len).map(row).collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn crossings_in_steps_are_those_of_columns(
        len in 1..13_000_usize, seed in any::<u64>(), periods in (1..40_usize, 2..5_000_usize, 1..60_usize),
        constant in 90..110_u32,
    ) {
        let candles = walk(len, seed, 5_000.0);
        let (fast, slow, other) = periods;
        let crosses = |left: &str, comparator: &str, right: &str| json!({"indicator": left, "comparator": comparator, "value": right});
        let (fast, slow, other) = (format!("sma({fast})"), format!("sma({slow})"), format!("ema({other})"));
        let body = json!({
            "entry_rules": {"operator": "or", "conditions": [
                crosses(&fast, "crosses_above", &slow), crosses("close", "crosses_above", &other),
                crosses(&other, "crosses_below", &constant.to_string()), crosses("sma(7)", "crosses_above", "sma(9)")]},
            // One of them is asked for as a column, too.
            "exit_rules": {"operator": "or", "conditions": [
                crosses(&fast, "crosses_below", &slow), crosses("sma(7)", ">", "sma(9) * 1.01"),
                crosses("rsi(5)", ">", "80"), crosses("rsi(5)", "<", "20"), crosses(&other, "<", &fast)]},
        });
        let strategy = strategy(&body);
        let ask = || Ok::<_, Infallible>(());
        let column = |call: &IndicatorCall| Ok::<_, Infallible>(Arc::new(call.compute(&candles)));
        let Ok(steps) = RuleSignals::evaluate_alone(&strategy, &candles, ask);
        let Ok(columns) = RuleSignals::evaluate(&strategy, &candles, column);
        for index in 0..len {
            let entries = [&steps, &columns].map(|rules| rules.is_entry(Direction::Long, index));
            let exits = [&steps, &columns].map(|rules| rules.is_exit(Direction::Long, index));
            prop_assert_eq!((entries[0], exits[0]), (entries[1], exits[1]), "{}", index);
        }
    }
}

#[test]
fn a_strategy_without_money_is_rejected_as_often_by_both_walks() {
    let candles = walk(20_000, 7, 1.0);
    let rule = when("close", ">", 0);
    for sizing in [
        json!({"position_sizing": "all_in"}),
        json!({"position_sizing": "percent_of_equity", "size": 50}),
        json!({"position_sizing": "risk_percentage", "risk_percentage": 2, "stop_loss": 1}),
    ] {
        let mut config = sizing;
        config["direction"] = json!("both");
        let body = json!({"entry_rules": rule, "exit_rules": rule, "config": config});
        let strategy = strategy(&body);
        let settings = settings(json!({"lot": "0.001", "commission": 0.002}));
        let input = input(&strategy, &candles, &settings);
        let outcome = run(&input, &mut ()).unwrap();
        assert!(outcome.rejections_count > 1_000 || body["config"]["stop_loss"] == 1);
        assert_eq!(slowly(&input), outcome);
    }
}
