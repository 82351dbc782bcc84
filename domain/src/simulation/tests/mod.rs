//! The engine against reference runs, by hand, and over random candles.

mod absurd;
mod catalogue;
mod determinism;
mod every_order;
mod fills;
mod golden;
mod hashes;
mod levels;
mod lookahead;
mod margin;
mod marks;
mod micro;
mod orders;
mod properties;
mod recorded;
mod reported;
mod sizes;
mod spellings;
mod streamed;
mod warnings;

use std::{fs::File, path::PathBuf};

use serde_json::{Value, json};

use rust_decimal::Decimal;

use super::{outcome::Outcome, rules::BoundStrategy, *};
use crate::{
    market::{Candle, Timeframe},
    strategy::StrategyDefinition,
};

/// A file of the crate's test data.
fn testdata(name: &str) -> File {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name);
    File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The candles of a market that the test data hold.
fn candles_of(market: &str) -> Candles {
    let reader = csv::Reader::from_reader(testdata(&format!("candles/{market}.csv")));
    let rows = reader.into_deserialize::<(i64, f64, f64, f64, f64, f64)>();
    let candle = |(open_time, open, high, low, close, volume)| Candle {
        open_time,
        open,
        high,
        low,
        close,
        volume,
    };
    rows.map(|row| candle(row.unwrap())).collect()
}

/// Binds a strategy body.
fn strategy(body: &Value) -> BoundStrategy {
    let definition = StrategyDefinition::parse(body.as_object().unwrap()).unwrap();
    let parameters = definition.merge_parameters(&std::collections::BTreeMap::new()).unwrap();
    definition.bind(&parameters).unwrap()
}

#[expect(clippy::needless_pass_by_value, reason = "a literal at each call")]
fn settings(metadata: Value) -> Settings {
    Settings::parse(metadata.as_object().unwrap()).unwrap()
}

const DAY_MS: i64 = 86_400_000;

/// Daily candles from the epoch on, out of open, high, low, close, volume.
fn candles(rows: impl IntoIterator<Item = [f64; 5]>) -> Candles {
    let times = (0..).map(|day: i64| day * DAY_MS);
    let candle = |(open_time, [open, high, low, close, volume]): (i64, [f64; 5])| Candle {
        open_time,
        open,
        high,
        low,
        close,
        volume,
    };
    times.zip(rows).map(candle).collect()
}

/// A rule of one comparison.
fn when(left: &str, comparator: &str, right: impl Into<Value>) -> Value {
    let right = right.into();
    json!({"operator": "and", "conditions": [{"indicator": left, "comparator": comparator, "value": right}]})
}

/// Runs a strategy body over all candles with 10,000 and whole hundred-millionths.
fn simulate(
    body: &Value,
    candles: &Candles,
    settings: &Settings,
) -> Result<Outcome, SimulationError> {
    let strategy = strategy(body);
    run(&input(&strategy, candles, settings), &mut ())
}

fn input<'a>(
    strategy: &'a BoundStrategy,
    candles: &'a Candles,
    settings: &'a Settings,
) -> Input<'a> {
    Input {
        strategy,
        candles,
        range_start: 0,
        fine: None,
        initial_balance: Decimal::from(10_000),
        lot: Decimal::new(1, 8),
        timeframe: Timeframe::OneDay,
        market_kind: None,
        settings,
    }
}
