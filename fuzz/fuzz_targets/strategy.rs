//! Any JSON object as a strategy: no panic, and a sound one runs over a few candles without a number that is not finite.
#![no_main]

use std::collections::BTreeMap;

use domain::{
    market::{Candle, Timeframe},
    simulation::{self, Candles, Input, Settings},
    strategy::StrategyDefinition,
};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};

fuzz_target!(|body: &str| {
    let Ok(body) = serde_json::from_str::<Map<String, Value>>(body) else { return };
    let Ok(definition) = StrategyDefinition::parse(&body) else { return };
    let Ok(parameters) = definition.merge_parameters(&BTreeMap::new()) else { return };
    let Ok(strategy) = definition.bind(&parameters) else { return };
    let candles = candles();
    let input = Input {
        strategy: &strategy,
        candles: &candles,
        range_start: 0,
        fine: None,
        initial_balance: 10_000.into(),
        lot: "0.00000001".parse().unwrap_or_default(),
        timeframe: Timeframe::OneDay,
        market_kind: None,
        settings: &Settings::default(),
    };
    if let Ok(outcome) = simulation::run(&input, &mut ()) {
        assert!(outcome.equity.iter().all(|equity| equity.is_finite()));
        assert!(outcome.metrics.values().into_iter().flatten().all(f64::is_finite));
    }
});

/// Two hundred days up and down.
fn candles() -> Candles {
    let price = |day: i64| 100.0 + f64::from(u8::try_from(day * 37 % 29).unwrap_or_default());
    let candle = |day: i64| {
        let (open, close) = (price(day), price(day + 1));
        let (high, low) = (open.max(close) + 1.0, open.min(close) - 1.0);
        Candle { open_time: day * 86_400_000, open, high, low, close, volume: 1.0 }
    };
    (0..200).map(candle).collect()
}
