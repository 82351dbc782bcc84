//! The hashes of the built-ins over Bitcoin's days: a change to one requires a new `ENGINE_VERSION`.

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
    "cf86efdfe0127d2ae94e9d13e369b031f717f7168069d4580d5c123e093769c5"
)]
#[case(
    "ema_cross",
    "92ce882609c78f58a38560c98d9a9398d59a9671e3248253a89042743af89cfe",
    "d4fdc9a06728dbcf3d4ab4030dd2f737897d6e9827b8b460cadf5e107031d63d"
)]
#[case(
    "rsi_mean_reversion",
    "53c4939172e8bc2e85fb05a6026e44fc6188afe98fbcb37a7943eba9b3f71c16",
    "7094a2fa458fb49838dc25bf17581f8ac8aefab951824a06caf6fa838a779728"
)]
#[case(
    "connors_rsi_2",
    "67f3523c5e30a7ca9aacda69010b8c7a48bacd92199d472615a71338f9c3eec2",
    "c79b6b6226198eee0b165e94672c76aee707022a9ab632116a114e67f554d617"
)]
#[case(
    "macd_cross",
    "49d1b4b83a34fa1a521aad4f4ca1ee3c56a470a586580340fdad7a5fdb7307c3",
    "e63ea9dfcecece6a2c269c4211265187cd8087084827fa12c56ce6410fa833bc"
)]
#[case(
    "bollinger_breakout",
    "96a9720becdf418f5ca31e2cdf7dd89bc36ac4069133a4c79aff166e0e107560",
    "0ae50eabba010494eb0cefbb615bf627dbc2066182b5e4f95ad5946a6c9e5cb0"
)]
#[case(
    "bollinger_reversion",
    "d112042721896654bf82fe282564c663865360985c52487105a215d9f6240160",
    "15b1004cc37819128d915e92b374212e7b562e6b74ec3f7d88c86cc8706d31b3"
)]
#[case(
    "donchian_breakout",
    "4777eeae88d5b759b79e1ad073cb209f4e5aab4f708dd0a8cfc5dee359eb0bf4",
    "de414820eb33987f0f4dfab633c639b84b2ba45828c70d591c291dbd537b2a9e"
)]
#[case(
    "supertrend",
    "f8b403abcf395e26f018cf19989c23062c3f0276a0fa60de7384a212def1568a",
    "2a79ecc75a90d737c6bba2ea55f9048f2c9e07f9b6bfd8d269c5d3c1098d9503"
)]
#[case(
    "adx_trend",
    "3bf44a8ffd546b6f0ea94f35302d1f46eb93e779334fa9ddf964058dfe534524",
    "71038d9cc45f394081d3f044a740527b6cfcf46021e675d7de44d622bab3761b"
)]
#[case(
    "momentum",
    "751ec43b42d6216c70f6da80fb6f31b0e958dc24db757b3beccdf233a6f2b927",
    "cc1585be60d6d4957e20872712cf8bd22842845506916b5a8abe112ce81f4f6e"
)]
#[case(
    "stochastic_reversal",
    "b78959b1b7565013d54866b43e1a699b7fcfa709532c8564338b0832c5e4a1b5",
    "12083681f2b8b6cf083ad414179ecad29287663a43360cd263270c8ee8864423"
)]
#[case(
    "buy_and_hold",
    "9e3a4f86d415357aeb4a0c359c364f01c0a8388ef8b5383ff7024ecf2371475c",
    "71bdfc06389319ac391d2cfc7a1db9f16b1bc6d9c8f53dcc7dff95641f40a72f"
)]
fn the_same_run_has_the_same_hashes_for_ever(
    #[case] code_ref: &str,
    #[case] ledger: &str,
    #[case] result: &str,
) {
    assert_eq!(ENGINE_VERSION, "2");
    assert_eq!(hashes(code_ref), (ledger.to_owned(), result.to_owned()));
}
