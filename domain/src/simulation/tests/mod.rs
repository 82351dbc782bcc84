//! The engine against reference runs, by hand, and over random candles.

mod golden;

use std::{fs::File, path::PathBuf};

use serde_json::{Map, Value, json};

use super::{rules::BoundStrategy, *};
use crate::{market::Candle, strategy::StrategyDefinition};

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

fn settings(metadata: Value) -> Settings {
    Settings::parse(metadata.as_object().unwrap()).unwrap()
}
