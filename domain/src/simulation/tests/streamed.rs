//! Crossings found in steps are those of whole columns.

use std::{convert::Infallible, sync::Arc};

use proptest::prelude::*;

use super::*;
use crate::simulation::{
    indicators::IndicatorCall, random::SplitMix64, rules::signals::RuleSignals,
};

/// A random walk with a spike now and then, after which running sums begin anew.
fn walk(len: usize, seed: u64) -> Candles {
    let mut random = SplitMix64::new(seed);
    let mut close = 100.0;
    let row = |_| {
        close *= 1.0 + (f64::from(u32::try_from(random.below(201)).unwrap()) - 100.0) / 20_000.0;
        let spike = if random.below(900) == 0 { 5_000.0 } else { 1.0 };
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
        let candles = walk(len, seed);
        let (fast, slow, other) = periods;
        let crosses = |left: &str, comparator: &str, right: &str| json!({"indicator": left, "comparator": comparator, "value": right});
        let (fast, slow, other) = (format!("sma({fast})"), format!("sma({slow})"), format!("ema({other})"));
        let body = json!({
            "entry_rules": {"operator": "or", "conditions": [
                crosses(&fast, "crosses_above", &slow), crosses("close", "crosses_above", &other),
                crosses(&other, "crosses_below", &constant.to_string()), crosses("sma(7)", "crosses_above", "sma(9)")]},
            // One of them is asked for as a column, too.
            "exit_rules": {"operator": "or", "conditions": [
                crosses(&fast, "crosses_below", &slow), crosses("sma(7)", ">", "sma(9) * 1.01")]},
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
