//! Real minutes laid end to end, and the engine over them.

use std::{collections::BTreeMap, error::Error, fs::File, path::Path};

use domain::{
    market::{Candle, Timeframe},
    simulation::{self, Candles, Input, Outcome, Settings, rules::BoundStrategy},
    strategy::StrategyDefinition,
};
use flate2::read::GzDecoder;
use rust_decimal::{Decimal, prelude::ToPrimitive};
use serde_json::{Value, json};

use super::bare_loop::BareOutcome;

/// March 2024 of BTCUSDT laid end to end to `len` minutes, prices as they are.
///
/// # Errors
/// A file that cannot be read.
pub(crate) fn minutes(len: usize) -> Result<Candles, Box<dyn Error>> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../domain/testdata/candles");
    let file = File::open(data.join("BTCUSDT_1m_2024-03.csv.gz"))?;
    let rows = csv::Reader::from_reader(GzDecoder::new(file)).into_deserialize();
    let month: Vec<(i64, f64, f64, f64, f64, f64)> = rows.collect::<Result<_, _>>()?;
    let first = month.first().map_or(0, |row| row.0);
    let times = (0..).map(|minute: i64| first + minute * 60_000);
    let rows = times.zip(month.iter().cycle()).take(len);
    let candle = |(open_time, &(_, open, high, low, close, volume))| Candle {
        open_time,
        open,
        high,
        low,
        close,
        volume,
    };
    Ok(rows.map(candle).collect())
}

/// The strategy of the first bare loop, by the rule language.
///
/// # Errors
/// Rules that cannot be bound.
pub(crate) fn golden_cross() -> Result<BoundStrategy, Box<dyn Error>> {
    let rule = |comparator: &str| json!({"indicator": "sma(50)", "comparator": comparator, "value": "sma(200)"});
    bind(&json!({"entry_rules": rule("crosses_above"), "exit_rules": rule("crosses_below")}))
}

/// The strategy of the second bare loop, by the rule language.
///
/// # Errors
/// Rules that cannot be bound.
pub(crate) fn rsi_stops() -> Result<BoundStrategy, Box<dyn Error>> {
    let rule = |comparator: &str, value: f64| json!({"indicator": "rsi(14)", "comparator": comparator, "value": value});
    bind(&json!({"entry_rules": rule("<", 30.0), "exit_rules": rule(">", 70.0),
        "config": {"stop_loss": 5, "take_profit": 10}}))
}

fn bind(body: &Value) -> Result<BoundStrategy, Box<dyn Error>> {
    let fields = body.as_object().ok_or("the body is an object")?;
    let definition = StrategyDefinition::parse(fields).map_err(|errors| format!("{errors:?}"))?;
    Ok(definition.bind(&BTreeMap::new()).map_err(|errors| format!("{errors:?}"))?)
}

/// One run with trades, equity and metrics.
///
/// # Errors
/// As [`simulation::run`].
pub(crate) fn engine(
    strategy: &BoundStrategy,
    candles: &Candles,
) -> Result<Outcome, Box<dyn Error>> {
    engine_with(strategy, candles, &Settings::default())
}

/// The same by those settings.
///
/// # Errors
/// As [`simulation::run`].
pub(crate) fn engine_with(
    strategy: &BoundStrategy,
    candles: &Candles,
    settings: &Settings,
) -> Result<Outcome, Box<dyn Error>> {
    let input = Input {
        strategy,
        candles,
        range_start: 0,
        fine: None,
        initial_balance: Decimal::from(10_000),
        lot: Decimal::new(1, 8),
        timeframe: Timeframe::OneMinute,
        market_kind: None,
        settings,
    };
    Ok(simulation::run(&input, &mut ())?)
}

/// That both did the same work: trade by trade, candle by candle, but for roundings.
///
/// # Errors
/// What differs.
pub(crate) fn agree(
    candles: &Candles,
    bare: &BareOutcome,
    engine: &Outcome,
) -> Result<(), Box<dyn Error>> {
    let near = |left: f64, right: f64| (left - right).abs() <= 1e-3 * left.abs().max(1.0);
    // The engine closes the last trade at the end, too.
    let trades = bare.trades.iter().zip(&engine.trades);
    let same = trades.filter(|(bare, engine)| {
        let exit = engine.exit.as_ref().map(|exit| exit.time);
        let quantity = engine.entry.quantity.to_f64().unwrap_or_default();
        engine.entry.time == candles.open_time[bare.entry]
            && exit == Some(candles.open_time[bare.exit])
            && near(bare.quantity, quantity)
            && near(bare.pnl, engine.pnl.and_then(|pnl| pnl.to_f64()).unwrap_or_default())
    });
    if same.count() != bare.trades.len() || bare.trades.len() + 1 < engine.trades.len() {
        return Err("the trades differ".into());
    }
    let last = candles.len() - 2;
    let drawdown = engine.metrics.max_drawdown_percentage.unwrap_or_default();
    if !near(bare.equity[last], engine.equity[last]) || !near(bare.max_drawdown, drawdown) {
        return Err("equity differs".into());
    }
    Ok(())
}
