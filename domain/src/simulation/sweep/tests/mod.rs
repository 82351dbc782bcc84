//! Sweeps compared with full runs, and the spaces that they search.

mod rows;
mod space;
mod walk_forward;

use std::{collections::BTreeMap, fs::File, path::PathBuf};

use rust_decimal::Decimal;
use serde_json::Value;

use super::*;
use crate::{
    market::{Candle, Timeframe},
    number::Number,
    simulation::{Candles, Settings},
    strategy::{StrategyDefinition, parameters::Parameters},
};

/// Bitcoin's days.
fn days() -> Candles {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/candles/BTCUSDT_1d.csv");
    let rows = csv::Reader::from_reader(File::open(path).unwrap());
    let rows = rows.into_deserialize::<(i64, f64, f64, f64, f64, f64)>();
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

fn definition(body: &Value) -> StrategyDefinition {
    StrategyDefinition::parse(body.as_object().unwrap()).unwrap()
}

fn settings(metadata: &Value) -> Settings {
    Settings::parse(metadata.as_object().unwrap()).unwrap()
}

fn number(value: f64) -> Number {
    Number::try_new(value).unwrap()
}

fn parameters(pairs: &[(&str, f64)]) -> Parameters {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), number(*value))).collect()
}

fn axes(axes: &[(&str, &[f64])]) -> BTreeMap<String, Axis> {
    let axis = |values: &[f64]| Axis::Values(values.iter().map(|value| number(*value)).collect());
    axes.iter().map(|(name, values)| ((*name).to_owned(), axis(values))).collect()
}

fn grid(axes: BTreeMap<String, Axis>, constraints: &[&str]) -> Spec {
    Spec {
        search: Search::Grid { axes },
        constraints: constraints.iter().map(|text| (*text).to_owned()).collect(),
        objective: objective("sharpe_ratio"),
        walk_forward: None,
    }
}

fn objective(metric: &str) -> Objective {
    Objective { metric: metric.to_owned(), direction: Objective::direction_of(metric) }
}

fn input<'a>(
    candles: &'a Candles,
    range_start: usize,
    settings: &'a Settings,
    objective: &'a str,
) -> RowInput<'a> {
    RowInput {
        candles,
        range_start,
        initial_balance: Decimal::from(10_000),
        lot: Decimal::new(1, 8),
        timeframe: Timeframe::OneDay,
        settings,
        objective,
    }
}
