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
    "b3af1de25a40e7ce1f1c1bc3255718006764ea4b870f45835e3fa38a4e9da600",
    "2ad38753e99fa3f4f4a89287a2c35fbef6339f88ac9665d51ad251622c875495"
)]
#[case(
    "ema_cross",
    "02548d66b3b64ab35d6f6857657abf359b20e97a0967069e0f9f5a62c0716e72",
    "ed5fdf9375e058732fa70a87ffaa618fdf15d79816b8bb2d9fdd5806ea06e4bf"
)]
#[case(
    "rsi_mean_reversion",
    "7416c8b185cbefa8644864def946405b67787a5e1e1ef46514b69822ce949092",
    "9b071d0e2ea567fea19322f9e47e1a5c7598a7fbfb466802a65aad123cd2f877"
)]
#[case(
    "connors_rsi_2",
    "7456b70ea6475a3899d1c4bc1d32632091449f7fb58187edea7c9b2a85662dfd",
    "d8bfe5e16e38e639a3b2a1a39125a49a05a6950fea6beecb396e0b16c9a34cf8"
)]
#[case(
    "macd_cross",
    "c98c92c510b286074dc9c480778a9b13207b6c270a7a432848a72ae2219c4d3a",
    "3ede0f092719b265963e8fcb5d5bf72094f1425aa6e3ea2f02c6e4d70c081bc3"
)]
#[case(
    "bollinger_breakout",
    "6787253a56c9268eec8ef26a8b852617b68843ba0e964e3a968f1cdf5ed6e266",
    "7da097f97ceeeaa3d575f0b8bdced5f806a45d3a65cec3e944cd37b45f6ac426"
)]
#[case(
    "bollinger_reversion",
    "c610a120c1f0a627d9fb01a322322a31f46e703a758a005a5a57984aadf64dda",
    "fbf66cb796272e67c81d983cf08462e93beaa401399739088a6000f78fdb0913"
)]
#[case(
    "donchian_breakout",
    "09f909ef806d2bf9ae7211d83aa16bd9bef789cbcba7117336968456af35ad7a",
    "28a9d961befccb43e515625892fdc0619b068e1d90d03c0d40a7fd59e58494fa"
)]
#[case(
    "supertrend",
    "69607145165f044e3c0beec09850ce1ea6123e6872410c44b38889a0ab62312c",
    "884966ce58af17c991d74b65e31f60cf9df949379f163987b394e3f1d15f323a"
)]
#[case(
    "adx_trend",
    "007d78c29c6c75e11ebf9029b6c533d321094a523ef19348c16534ece26e40f2",
    "43e1b6d09ef2f70aeb8c01a7719606daac603528c66a3c402ec1975ce18c5931"
)]
#[case(
    "momentum",
    "ebc06c3e6a9f7f052993fe2a1402f7616588e3c498b340ef6f9ad0111d248daa",
    "02c20a464b02b8e7ac84d1817f744d12a85c7357101175e37028f9c6fff8456e"
)]
#[case(
    "stochastic_reversal",
    "3a0c8c906be5305ab7677f2f751e58238a06e92dd764a9006b5de859f83ba52b",
    "fa372d5ac1c95826365b02f74affc79ff21ab9f3b1f6abc9bab459537e991832"
)]
#[case(
    "buy_and_hold",
    "c86f3ce59524bcf6a138907bf418c3f1155d9c36bafc5f881b23171d3fd2b27e",
    "bcdb61de80cc6b90dac547c40585fb38c1a916262e2423182604396225088d7e"
)]
fn the_same_run_has_the_same_hashes_for_ever(
    #[case] code_ref: &str,
    #[case] ledger: &str,
    #[case] result: &str,
) {
    assert_eq!(ENGINE_VERSION, "2");
    assert_eq!(hashes(code_ref), (ledger.to_owned(), result.to_owned()));
}
