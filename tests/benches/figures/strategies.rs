//! What a candle costs each built-in, and strategies that are hard on the engine, beside the cross of averages.

#[path = "../../../domain/benches/strategies.rs"]
mod cases;

use std::{error::Error, time::Instant};

use crate::{Figure, simulation::minutes};

/// The names of the figures begin with it.
pub(crate) const NAMES: [&str; 1] = ["strategies"];
const CANDLES: usize = 1_000_000;
const ROUNDS: usize = 5;

/// Nanoseconds a candle with trades, equity and metrics, medians of alternating rounds.
pub(crate) fn measure() -> Result<Vec<Figure>, Box<dyn Error>> {
    let candles = minutes::minutes(CANDLES)?;
    let mut figures = Vec::new();
    for case in cases::all()? {
        let cases::Timed { name, aim, nanoseconds, cross, trades } =
            cases::time(case, &candles, ROUNDS, Instant::now)?;
        if trades == 0 {
            return Err(format!("{name} does not trade").into());
        }
        figures.push(Figure::beside(name, nanoseconds, "ns/candle", cross, aim));
    }
    Ok(figures)
}
