//! Sweeps of moving-average crosses over candles: the grids that the figures time.

use std::{collections::BTreeMap, error::Error};

use domain::{
    market::Timeframe,
    number::Number,
    simulation::{
        Candles, Settings,
        sweep::{CancelToken, ParametricStrategy, PreparedSweep, Row, RowInput},
    },
    strategy::{StrategyDefinition, parameters::Parameters},
};
use rust_decimal::Decimal;
use serde_json::json;

/// The strategy of the bare loop with both windows as parameters.
///
/// # Errors
/// Rules that cannot be read.
pub(crate) fn crosses() -> Result<StrategyDefinition, Box<dyn Error>> {
    let rule = |comparator: &str| {
        json!({"operator": "and", "conditions": [
            {"indicator": "sma($short)", "comparator": comparator, "value": "sma($long)"}]})
    };
    let body = json!({
        "entry_rules": rule("crosses_above"), "exit_rules": rule("crosses_below"),
        "default_parameters": {"short": 50, "long": 200},
    });
    let fields = body.as_object().ok_or("the body is an object")?;
    Ok(StrategyDefinition::parse(fields).map_err(|errors| format!("{errors:?}"))?)
}

/// Every short window with every long one.
///
/// # Errors
/// Numbers that are not finite.
#[expect(clippy::needless_pass_by_value, reason = "iterators are values")]
pub(crate) fn pairs(
    shorts: impl Iterator<Item = u32>,
    longs: impl Iterator<Item = u32> + Clone,
) -> Result<Vec<Parameters>, Box<dyn Error>> {
    let number = |value: u32| Number::try_new(f64::from(value)).ok_or("a finite number");
    let mut all = Vec::new();
    for short in shorts {
        for long in longs.clone() {
            let names = ["short".to_owned(), "long".to_owned()];
            all.push(names.into_iter().zip([number(short)?, number(long)?]).collect());
        }
    }
    Ok(all)
}

/// The rows of a sweep, ranked by their Sharpe ratio.
///
/// # Errors
/// Combinations that cannot be bound.
pub(crate) fn sweep(
    definition: &StrategyDefinition,
    combinations: &[Parameters],
    candles: &Candles,
    timeframe: Timeframe,
    threads: usize,
) -> Result<Vec<Row>, Box<dyn Error>> {
    let settings = Settings::default();
    let input = RowInput {
        candles,
        range_start: 0,
        initial_balance: Decimal::from(10_000),
        lot: Decimal::new(1, 8),
        timeframe,
        settings: &settings,
        objective: "sharpe_ratio",
    };
    let wrong = |errors| format!("{errors:?}");
    let strategy = ParametricStrategy::try_new(definition, &BTreeMap::new()).map_err(wrong)?;
    let combinations = combinations.to_vec();
    let prepared = PreparedSweep::try_new(strategy, combinations, "grid").map_err(wrong)?;
    Ok(prepared.run(&input, threads, &CancelToken::default())?)
}
