//! Every built-in and some strategies that are hard on the engine, each over the same minutes as the cross of averages.

use std::{collections::BTreeMap, error::Error, hint::black_box, time::Instant};

use domain::{
    simulation::{Candles, Settings, rules::BoundStrategy},
    strategy::{StrategyDefinition, builtins},
};
use serde_json::{Value, json};

use super::minutes;

/// A strategy to be timed, and what its time is to be: as a multiple of the cross, or in nanoseconds.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) aim: &'static str,
    strategy: BoundStrategy,
    settings: Settings,
}

/// What a case took, in nanoseconds a candle.
#[derive(Debug)]
pub(crate) struct Timed {
    pub(crate) name: String,
    pub(crate) aim: &'static str,
    pub(crate) nanoseconds: f64,
    /// The cross of averages, timed in turns with it.
    pub(crate) cross: f64,
    pub(crate) trades: usize,
}

const BUILTIN: &str = "ratio <= 5, or value <= 80";

/// The built-ins, then strategies with many open trades, many trades, many conditions or long windows.
///
/// # Errors
/// A strategy that cannot be bound.
pub(crate) fn all() -> Result<Vec<Case>, Box<dyn Error>> {
    let builtins = builtins::ALL
        .iter()
        .map(|builtin| case(builtin.name, BUILTIN, &json!({"code_ref": builtin.name}), &json!({})));
    let hard = hard();
    let hard =
        hard.into_iter().map(|(name, aim, body, settings)| case(name, aim, &body, &settings));
    builtins.chain(hard).collect()
}

/// Medians of `rounds` of a case in turns with the cross.
///
/// # Errors
/// A run that fails.
pub(crate) fn time(
    case: Case,
    candles: &Candles,
    rounds: usize,
    now: fn() -> Instant,
) -> Result<Timed, Box<dyn Error>> {
    let cross = minutes::golden_cross()?;
    let settings = Settings::default();
    let run = || minutes::engine_with(&case.strategy, candles, &case.settings);
    let trades = run()?.trades.len();
    let (mut crosses, mut own) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let start = now();
        black_box(minutes::engine_with(&cross, candles, &settings)?);
        let middle = now();
        black_box(run()?);
        crosses.push((middle - start).as_secs_f64() * 1e9);
        own.push((now() - middle).as_secs_f64() * 1e9);
    }
    let per_candle = |times| median(times) / candles.len() as f64;
    let (nanoseconds, cross) = (per_candle(own), per_candle(crosses));
    Ok(Timed { name: case.name, aim: case.aim, nanoseconds, cross, trades })
}

fn case(
    name: &str,
    aim: &'static str,
    body: &Value,
    settings: &Value,
) -> Result<Case, Box<dyn Error>> {
    let fields = body.as_object().ok_or("a strategy is an object")?;
    let definition = StrategyDefinition::parse(fields).map_err(|errors| format!("{errors:?}"))?;
    let parameters =
        definition.merge_parameters(&BTreeMap::new()).map_err(|errors| format!("{errors:?}"))?;
    let strategy = definition.bind(&parameters).map_err(|errors| format!("{errors:?}"))?;
    let settings = settings.as_object().ok_or("settings are an object")?;
    let settings = Settings::parse(settings).map_err(|errors| format!("{errors:?}"))?;
    Ok(Case { name: format!("strategies_{name}"), aim, strategy, settings })
}

/// Name, aim, body and settings.
fn hard() -> Vec<(&'static str, &'static str, Value, Value)> {
    let rule = |left: &str, comparator: &str, right: &str| json!({"indicator": left, "comparator": comparator, "value": right});
    // Fast above slow enters candle by candle; fast below slow leaves.
    let pyramid = |entries: u32, more: Value| {
        let mut config = json!({"max_entries": entries, "position_sizing": "percent_of_equity",
            "size": 90.0 / f64::from(entries)});
        merge(&mut config, more);
        json!({"entry_rules": rule("sma(50)", ">", "sma(200)"), "exit_rules": rule("sma(50)", "<", "sma(200)"), "config": config})
    };
    let held = |more: Value| {
        let mut config =
            json!({"max_entries": 100, "position_sizing": "percent_of_equity", "size": 0.9});
        merge(&mut config, more);
        json!({"entry_rules": rule("close", ">", "sma(20)"), "config": config})
    };
    let hedging = json!({"entry_rules": rule("close", ">", "sma(20)"), "short_entry_rules": rule("close", "<", "sma(20)"),
        "exit_rules": rule("sma(50)", "crosses_below", "sma(200)"), "short_exit_rules": rule("sma(50)", "crosses_above", "sma(200)"),
        "config": {"direction": "both", "position_mode": "hedging", "max_entries": 50, "position_sizing": "percent_of_equity",
            "size": 0.5}});
    let any = |conditions: Vec<Value>, exit: Value| json!({"entry_rules": {"operator": "or", "conditions": conditions}, "exit_rules": exit});
    let averages = (2..=50)
        .map(|period| rule("sma(200)", "crosses_above", &format!("sma({period})")))
        .collect();
    let flip = rule("close", ">", "0");
    let flip = json!({"entry_rules": flip, "exit_rules": flip, "config": {"direction": "both"}});
    let cross = |average: &str| json!({"entry_rules": rule("close", "crosses_above", average), "exit_rules": rule("sma(50)", "crosses_below", "sma(200)")});
    vec![
        ("pyramids_10", "–", pyramid(10, json!({})), json!({})),
        ("pyramids_100", "ratio <= 10", pyramid(100, json!({})), json!({})),
        (
            "pyramids_100_stops",
            "–",
            pyramid(100, json!({"stop_loss": 2, "take_profit": 4})),
            json!({}),
        ),
        (
            "pyramids_100_trailing",
            "ratio <= 20",
            pyramid(100, json!({"trailing_stop": 1})),
            json!({}),
        ),
        ("held_100", "ratio <= 10", held(json!({})), json!({})),
        ("held_100_stops", "–", held(json!({"stop_loss": 5, "take_profit": 5})), json!({})),
        ("held_100_trailing", "ratio <= 20", held(json!({"trailing_stop": 2})), json!({})),
        ("hedging_50", "–", hedging, json!({})),
        ("or_49", "–", any(averages, rule("close", ">", "sma(200)")), json!({})),
        ("flip_each_candle", "ratio <= 8", flip.clone(), json!({"commission": 0})),
        ("flip_with_fees", "ratio <= 8", flip, json!({})),
        ("kama", "–", cross("kama(10)"), json!({})),
        ("linearreg_200", "–", cross("linearreg(200)"), json!({})),
    ]
}

fn merge(config: &mut Value, more: Value) {
    if let (Some(config), Value::Object(more)) = (config.as_object_mut(), more) {
        config.extend(more);
    }
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
