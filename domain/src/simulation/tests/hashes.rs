//! The hashes of the built-ins over Bitcoin's days: whoever changes one raises `ENGINE_VERSION`.

use std::collections::BTreeMap;

use rstest::rstest;

use super::*;
use crate::{
    ids::BacktestId,
    ledger::{LedgerEvent, entries::LedgerWriter},
    market::Timeframe,
    simulation::hash::{Pinned, dataset_sha256, result_hash},
};

/// Writes the ledger as the run goes on.
struct Recorder {
    writer: LedgerWriter,
    events: Vec<LedgerEvent>,
}

impl Observer for Recorder {
    fn observe(&mut self, step: Step<'_>) -> ControlFlow<()> {
        match step {
            Step::Opened(trade) => self.events.push(self.writer.opened(trade).unwrap()),
            Step::Closed(trade) => self.events.push(self.writer.closed(trade).unwrap()),
            Step::Progress { .. } => {}
        }
        ControlFlow::Continue(())
    }
}

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
        initial_balance,
        lot: Decimal::new(1, 8),
        timeframe,
        settings: &metadata,
    };
    let symbol: crate::market::Symbol = "BTCUSDT".parse().unwrap();
    let (writer, opened) =
        LedgerWriter::open(BacktestId::default(), symbol.clone(), timeframe, initial_balance)
            .unwrap();
    let mut recorder = Recorder { writer, events: vec![opened] };
    let outcome = run(&input, &mut recorder).unwrap();
    let ending = recorder.writer.finish(&candles.open_time, &outcome).unwrap();
    let pinned = Pinned {
        definition: &definition,
        parameters: &parameters,
        symbol: &symbol,
        timeframe,
        start_time: "2017-08-17T00:00:00Z".parse().unwrap(),
        end_time: "2025-11-30T00:00:00Z".parse().unwrap(),
        initial_balance,
        metadata: &metadata,
    };
    let dataset = dataset_sha256(&candles);
    let (ledger, points) = (ending.ledger_hash, ending.points);
    let result = result_hash(dataset, &pinned, ledger, &outcome.metrics, &points).unwrap();
    (ledger.to_string(), result.to_string())
}

#[rstest]
#[case(
    "golden_cross",
    "120ab3ba5be2ec84c8bf2d25cd0d933f69762f81e11daa3e3963a1d4cb6f99f4",
    "cf86efdfe0127d2ae94e9d13e369b031f717f7168069d4580d5c123e093769c5"
)]
#[case(
    "rsi_mean_reversion",
    "53c4939172e8bc2e85fb05a6026e44fc6188afe98fbcb37a7943eba9b3f71c16",
    "7094a2fa458fb49838dc25bf17581f8ac8aefab951824a06caf6fa838a779728"
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
    "buy_and_hold",
    "9e3a4f86d415357aeb4a0c359c364f01c0a8388ef8b5383ff7024ecf2371475c",
    "71bdfc06389319ac391d2cfc7a1db9f16b1bc6d9c8f53dcc7dff95641f40a72f"
)]
fn the_same_run_has_the_same_hashes_for_ever(
    #[case] code_ref: &str,
    #[case] ledger: &str,
    #[case] result: &str,
) {
    assert_eq!(ENGINE_VERSION, "1");
    assert_eq!(hashes(code_ref), (ledger.to_owned(), result.to_owned()));
}
