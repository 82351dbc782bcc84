//! The engine beside the bare loop over a million real minutes, in turns: `cargo bench -p domain --bench simulation`.

mod bare_loop;
mod minutes;

use std::{
    error::Error,
    hint::black_box,
    time::{Duration, Instant},
};

use bare_loop::BareOutcome;
use domain::simulation::{Candles, rules::BoundStrategy};

const CANDLES: usize = 1_000_000;
const ROUNDS: usize = 15;

fn main() -> Result<(), Box<dyn Error>> {
    let candles = minutes::minutes(CANDLES)?;
    let crosses = || bare_loop::run(&candles.open, &candles.close);
    beside("SMA 50/200", &candles, &minutes::golden_cross()?, crosses)?;
    let stops = || bare_loop::run_rsi(&candles.open, &candles.high, &candles.low, &candles.close);
    beside("RSI with stops", &candles, &minutes::rsi_stops()?, stops)
}

#[expect(clippy::print_stdout, reason = "a benchmark prints")]
fn beside(
    name: &str,
    candles: &Candles,
    strategy: &BoundStrategy,
    bare: impl Fn() -> BareOutcome,
) -> Result<(), Box<dyn Error>> {
    let engine = minutes::engine(strategy, candles)?;
    minutes::agree(candles, &bare(), &engine)?;
    let trades = engine.trades.len();
    let (mut bare_times, mut engine_times) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bare_times.push(timed(&bare));
        engine_times.push(timed(|| minutes::engine(strategy, candles)));
    }
    let (bare, engine) = (rate(bare_times), rate(engine_times));
    println!("{name}, {trades} trades");
    println!("  bare loop {bare:7.1} M candles/s");
    println!("  engine    {engine:7.1} M candles/s");
    println!("  ratio     {:7.2}", engine / bare);
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a benchmark needs a clock")]
fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    black_box(work());
    start.elapsed()
}

/// Millions of candles a second by the median.
fn rate(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    CANDLES as f64 / times[times.len() / 2].as_secs_f64() / 1e6
}
