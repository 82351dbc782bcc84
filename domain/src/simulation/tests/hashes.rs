//! The hashes of the built-ins over Bitcoin's days: a change to one requires a new `ENGINE_VERSION`.
//!
//! Engine 2: every payload of a ledger but its equity has another form (RFC 3339 times, shortfalls, excursions).

use std::collections::BTreeMap;

use rstest::rstest;

use super::*;
use crate::{
    run_spec::RunSpec,
    simulation::hash::{dataset_sha256, result_hash},
};

/// Ledger hash and result hash of a built-in with its defaults over all days.
fn hashes(code_ref: &str) -> (String, String) {
    let candles = candles_of("BTCUSDT_1d");
    let body = json!({ "code_ref": code_ref });
    let definition = StrategyDefinition::parse(body.as_object().unwrap()).unwrap();
    let parameters = definition.merge_parameters(&BTreeMap::new()).unwrap();
    let strategy = definition.bind(&parameters).unwrap();
    let metadata = settings(json!({}));
    let initial_balance = Decimal::from(10_000);
    let timeframe = Timeframe::OneDay;
    let input = Input {
        strategy: &strategy,
        candles: &candles,
        range_start: 0,
        fine: None,
        initial_balance,
        lot: Decimal::new(1, 8),
        timeframe,
        market_kind: None,
        settings: &metadata,
    };
    let (outcome, _, ending) = recorded::record(&input).unwrap();
    let run = RunSpec { settings: metadata.clone(), ..RunSpec::example(definition) };
    let dataset = dataset_sha256(&candles);
    let (ledger, points) = (ending.ledger_hash, ending.points);
    let result = result_hash(dataset, &run, ledger, &outcome.metrics, &points).unwrap();
    (ledger.to_string(), result.to_string())
}

#[rstest]
#[case(
    "golden_cross",
    "120ab3ba5be2ec84c8bf2d25cd0d933f69762f81e11daa3e3963a1d4cb6f99f4",
    "c0d2c15b9a670f14bfc8bf62b098a5a9fbf7c486a32476d93785684f4895c4d9"
)]
#[case(
    "ema_cross",
    "92ce882609c78f58a38560c98d9a9398d59a9671e3248253a89042743af89cfe",
    "b040e4dda949575ca5cabcfaacb8ab7ca2baaf48d1043f2b672614490e3229de"
)]
#[case(
    "rsi_mean_reversion",
    "53c4939172e8bc2e85fb05a6026e44fc6188afe98fbcb37a7943eba9b3f71c16",
    "e25e9f94cf03714bfaa97754b62fe0084970a6e15ca8beb7b365967149142cc8"
)]
#[case(
    "connors_rsi_2",
    "67f3523c5e30a7ca9aacda69010b8c7a48bacd92199d472615a71338f9c3eec2",
    "81cf8a72cc70e22990c2848bc6f303e4bb9e59c0927a982e10ae8acbaa6ec8d1"
)]
#[case(
    "macd_cross",
    "49d1b4b83a34fa1a521aad4f4ca1ee3c56a470a586580340fdad7a5fdb7307c3",
    "a4872b000138743fa0142f0b61c0ff092209a71c3b7aa0542282cc3f9beab452"
)]
#[case(
    "bollinger_breakout",
    "96a9720becdf418f5ca31e2cdf7dd89bc36ac4069133a4c79aff166e0e107560",
    "0eaf912162b762b8e51833b4a728c4432e12b811a4ff006e8fe8b7fd96328be8"
)]
#[case(
    "bollinger_reversion",
    "d112042721896654bf82fe282564c663865360985c52487105a215d9f6240160",
    "d5a4a33eb86553e47172a5d4841cd2d9d9cb0e9360c9d8e0baf9286996844551"
)]
#[case(
    "donchian_breakout",
    "4777eeae88d5b759b79e1ad073cb209f4e5aab4f708dd0a8cfc5dee359eb0bf4",
    "2973a73b8d3c17676295d5a3adaaf469adf304cbe3bea7f94e95f3caa1444431"
)]
#[case(
    "supertrend",
    "f8b403abcf395e26f018cf19989c23062c3f0276a0fa60de7384a212def1568a",
    "93cedf697b149e56fa5bc3ceab48a94f103665d9bed9fdabb94acfa5148bf08b"
)]
#[case(
    "adx_trend",
    "3bf44a8ffd546b6f0ea94f35302d1f46eb93e779334fa9ddf964058dfe534524",
    "6faed3c1cd9d4389a90a75e84ef9b39cc084b4abe642d9bc4043a915256c4d74"
)]
#[case(
    "momentum",
    "751ec43b42d6216c70f6da80fb6f31b0e958dc24db757b3beccdf233a6f2b927",
    "c30c01ed15728d86e8fa8bfe73405c37bd2a36210b502ef1749d5672d4099065"
)]
#[case(
    "stochastic_reversal",
    "b78959b1b7565013d54866b43e1a699b7fcfa709532c8564338b0832c5e4a1b5",
    "0ada44352ad065503d67d39bfbe990df0d58f30a7e04053105656706ffe8e0b1"
)]
#[case(
    "buy_and_hold",
    "9e3a4f86d415357aeb4a0c359c364f01c0a8388ef8b5383ff7024ecf2371475c",
    "8f5407d21adc419090e44340f6f545770cc1166732dfea037457fae915e1d09a"
)]
fn the_same_run_has_the_same_hashes_for_ever(
    #[case] code_ref: &str,
    #[case] ledger: &str,
    #[case] result: &str,
) {
    assert_eq!(ENGINE_VERSION, "2");
    assert_eq!(hashes(code_ref), (ledger.to_owned(), result.to_owned()));
}
