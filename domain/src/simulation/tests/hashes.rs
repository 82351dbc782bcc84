//! The hashes of the built-ins over Bitcoin's days: a change to one requires a new `ENGINE_VERSION`.
//!
//! Engine 2: every payload of a ledger has another form (RFC 3339 times, shortfalls, excursions, equity in columns), and a result
//! hash covers the strategy as it is bound, not as it was written.

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
    let result = result_hash(dataset, &run, &strategy, ledger, &outcome.metrics, &points).unwrap();
    (ledger.to_string(), result.to_string())
}

#[rstest]
#[case(
    "golden_cross",
    "22db4fc2ea30bf4648e51326e568608edde2a5017f092ea84b495d914959bf68",
    "630af370b6741e2705b74273e114d496d904efd49ef3aa261d058c2d3072f982"
)]
#[case(
    "ema_cross",
    "3219efda36f4fdccbb3640e146eb390fb86e0834ec3ae5a43c7e90b2cae5bb79",
    "7393dda93613d58a41f994d0d809846ffc3dc3a51767a9b4730aec14dad18612"
)]
#[case(
    "rsi_mean_reversion",
    "a5cc5131aeb06dbcd16fc95c2f34f3f542520d7a992135ebb1325d134d8ef381",
    "9359685a495d37e20761d78c4cfed9a6ab3500279b778b89f5e5625727c33680"
)]
#[case(
    "connors_rsi_2",
    "05c495ac2aa9e5f392672a4d2dd9bbbf2af5221b27bf9c737b4d75d728c35775",
    "c4eef885ac2389a744cac6e4295ae940210eead87f2ba8e9f87291b8008eea67"
)]
#[case(
    "macd_cross",
    "9b577bf2ca242939383591ce3859db13e3f63d30aaf8aa7833103d307b649fb4",
    "613a9bcbdcd6942082248fdcfa024f802acae6ed8ad6d9459b63fabc2dfb8080"
)]
#[case(
    "bollinger_breakout",
    "3adbc25a1fffe13809d4b503fca1a40c9f89be2490ee932cdf7076ca6a3a9023",
    "a108568a6bbd3fbf4276baa49561ad6691795eef6842712e5bfb765cbaaf934a"
)]
#[case(
    "bollinger_reversion",
    "c351dd6c5765e34f9241f040a3482645746171e901ba1551c5ddc3dbdba79ec2",
    "239e56ecb1f7df039267677dae024662e50015f877572e9adafdc8431bd74b74"
)]
#[case(
    "donchian_breakout",
    "68526eb0b53f5ca9d74879d67ccad3ca0c0960a6dc670afce9739306c239480b",
    "9d9758b6070ef9b00c9510c0ec0c29775f5be94e7fed46ea8daeaa0b2cde4e3d"
)]
#[case(
    "supertrend",
    "6cec782c734799ba59a01bf5a6ad1d8d93cf7adf64d10698ac5494aac52189cf",
    "41ed700004acb75f3780eb4993638e68bf1cdff75a0f29c6973973cad6108eb9"
)]
#[case(
    "adx_trend",
    "b780caf068f2d43a70c894a9befaee52adb3d43a8b894264333a0e6d0d9c5ea5",
    "963f34d4958fcb9e329a38b8280b15e24a1353f3aa107c2dd023ff7363d5de0c"
)]
#[case(
    "momentum",
    "7103bdd56268343e0d4b4fb87d33df4ef31f3441ec2373f0e564f5831db4b49f",
    "af674d6dc8d1916bc1c8001a7fe58ef1540e7f48c9db6e61b4cc264f33fd1ca6"
)]
#[case(
    "stochastic_reversal",
    "7bf06a4da5dde24de931c2516362c2f0fd712dbc0e57beb2e427b7da1573045b",
    "ca60f2b428550accc500386b507cf9cb91415842578494c6e06a3d7549d4ffbb"
)]
#[case(
    "buy_and_hold",
    "8e3873d2b4bb9195473a4935948262ddb8d2322ec44e73be72236f681d55c080",
    "5eb7f69647e25a03ad0851e55a4e90f31ecfab929d46d51b15fdbc932122d20e"
)]
fn the_same_run_has_the_same_hashes_for_ever(
    #[case] code_ref: &str,
    #[case] ledger: &str,
    #[case] result: &str,
) {
    assert_eq!(ENGINE_VERSION, "2");
    assert_eq!(hashes(code_ref), (ledger.to_owned(), result.to_owned()));
}
