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
    "f74bac6d704fcf34e0febbd488273fd33b6f81e446d7164fea61203a3f33b815"
)]
#[case(
    "ema_cross",
    "3219efda36f4fdccbb3640e146eb390fb86e0834ec3ae5a43c7e90b2cae5bb79",
    "4a96220e8ffcd5d63b18746124c102ebcb227d2d95d5f475f8808067291a9626"
)]
#[case(
    "rsi_mean_reversion",
    "a5cc5131aeb06dbcd16fc95c2f34f3f542520d7a992135ebb1325d134d8ef381",
    "683abf537fffa4a181817abbf9344c43d2c7935eac19729288d8c86c1e67a208"
)]
#[case(
    "connors_rsi_2",
    "05c495ac2aa9e5f392672a4d2dd9bbbf2af5221b27bf9c737b4d75d728c35775",
    "5aa1ce61b254fd561e0d76900d1978b04ae3306c75267d68601abd28d91bc12d"
)]
#[case(
    "macd_cross",
    "9b577bf2ca242939383591ce3859db13e3f63d30aaf8aa7833103d307b649fb4",
    "ea4714e0b66055191aec03002c61f2c680fb958dc0a203cdf685bb85e24dbc35"
)]
#[case(
    "bollinger_breakout",
    "3adbc25a1fffe13809d4b503fca1a40c9f89be2490ee932cdf7076ca6a3a9023",
    "3967dc3e9fe48e1505a57bb5f90688dff96cc8c7b8022f278d73df8d2aefddaf"
)]
#[case(
    "bollinger_reversion",
    "c351dd6c5765e34f9241f040a3482645746171e901ba1551c5ddc3dbdba79ec2",
    "11661c67a76846e31272a31cf8856c2294c8a486504ca5297915d709f65bbaa8"
)]
#[case(
    "donchian_breakout",
    "68526eb0b53f5ca9d74879d67ccad3ca0c0960a6dc670afce9739306c239480b",
    "f46d3642bc6820405a659b6c41855340bc972b13b1c20fbc19901be89648dd8f"
)]
#[case(
    "supertrend",
    "6cec782c734799ba59a01bf5a6ad1d8d93cf7adf64d10698ac5494aac52189cf",
    "8f10931c3f752c5260078ce54de66bbd501c620386fcf8ea16465725b76c4b1f"
)]
#[case(
    "adx_trend",
    "b780caf068f2d43a70c894a9befaee52adb3d43a8b894264333a0e6d0d9c5ea5",
    "4ae008c0bbb90973921545312f19101e643a282a48158922dc073b07c5935424"
)]
#[case(
    "momentum",
    "7103bdd56268343e0d4b4fb87d33df4ef31f3441ec2373f0e564f5831db4b49f",
    "cfd15075a5ee853fadd50c296a6379b8fdb20a71bafd8a145367302c4abb0574"
)]
#[case(
    "stochastic_reversal",
    "7bf06a4da5dde24de931c2516362c2f0fd712dbc0e57beb2e427b7da1573045b",
    "90d048b7a25f43a256e301ac20beee8add164bdac7700f2644086dcc4987f29f"
)]
#[case(
    "buy_and_hold",
    "8e3873d2b4bb9195473a4935948262ddb8d2322ec44e73be72236f681d55c080",
    "6cadaa5f243263f7ad6f9d07dfdc9527927c6182ff28b8b92d2d9dbe569103c1"
)]
fn the_same_run_has_the_same_hashes_for_ever(
    #[case] code_ref: &str,
    #[case] ledger: &str,
    #[case] result: &str,
) {
    assert_eq!(ENGINE_VERSION, "2");
    assert_eq!(hashes(code_ref), (ledger.to_owned(), result.to_owned()));
}
