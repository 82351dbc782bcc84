//! One backtest over a million real minutes against a bare loop written for its strategy.

#[path = "../../../domain/benches/bare_loop.rs"]
pub(crate) mod bare_loop;
#[path = "../../../domain/benches/minutes.rs"]
pub(crate) mod minutes;

use std::{error::Error, hint::black_box, time::Instant};

use bare_loop::BareOutcome;
use domain::simulation::{Candles, rules::BoundStrategy};

use crate::{Figure, median};

pub(crate) const NAMES: [&str; 2] = ["backtest_1m_candles", "backtest_1m_rsi_stops"];
const CANDLES: usize = 1_000_000;
const ROUNDS: usize = 11;

/// Candles a second with trades, equity and metrics, medians of alternating rounds.
pub(crate) fn measure() -> Result<Vec<Figure>, Box<dyn Error>> {
    let candles = minutes::minutes(CANDLES)?;
    let crosses = || bare_loop::run(&candles.open, &candles.close);
    let stops = || bare_loop::run_rsi(&candles.open, &candles.high, &candles.low, &candles.close);
    Ok(vec![
        beside(NAMES[0], &candles, &minutes::golden_cross()?, crosses, "ratio >= 1.0")?,
        beside(NAMES[1], &candles, &minutes::rsi_stops()?, stops, "ratio >= 0.8")?,
    ])
}

fn beside(
    name: &'static str,
    candles: &Candles,
    strategy: &BoundStrategy,
    bare: impl Fn() -> BareOutcome,
    aim: &'static str,
) -> Result<Figure, Box<dyn Error>> {
    minutes::agree(candles, &bare(), &minutes::engine(strategy, candles)?)?;
    let (mut bares, mut engines) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bares.push(rate(&bare));
        engines.push(rate(|| minutes::engine(strategy, candles)));
    }
    Ok(Figure::beside(name, median(engines), "candles/s", median(bares), aim))
}

fn rate<T>(work: impl FnOnce() -> T) -> f64 {
    let start = Instant::now();
    black_box(work());
    CANDLES as f64 / start.elapsed().as_secs_f64()
}
