//! One backtest over a million real minutes against a bare loop written for its strategy.

#[path = "../../../domain/benches/bare_loop.rs"]
mod bare_loop;
#[path = "../../../domain/benches/minutes.rs"]
mod minutes;

use std::{error::Error, hint::black_box, time::Instant};

use crate::{Figure, median};

pub(crate) const NAMES: [&str; 1] = ["backtest_1m_candles"];
const CANDLES: usize = 1_000_000;
const ROUNDS: usize = 11;

/// Candles a second with trades, equity and metrics, medians of alternating rounds.
pub(crate) fn measure() -> Result<Vec<Figure>, Box<dyn Error>> {
    let candles = minutes::minutes(CANDLES)?;
    let strategy = minutes::golden_cross()?;
    let bare = bare_loop::run(&candles.open, &candles.close);
    minutes::agree(&candles, &bare, &minutes::engine(&strategy, &candles)?)?;
    let (mut bares, mut engines) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bares.push(rate(|| bare_loop::run(&candles.open, &candles.close)));
        engines.push(rate(|| minutes::engine(&strategy, &candles)));
    }
    Ok(vec![Figure::beside(NAMES[0], median(engines), "candles/s", median(bares), "ratio >= 0.3")])
}

fn rate<T>(work: impl FnOnce() -> T) -> f64 {
    let start = Instant::now();
    black_box(work());
    CANDLES as f64 / start.elapsed().as_secs_f64()
}
