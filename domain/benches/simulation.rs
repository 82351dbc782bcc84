//! The engine beside the bare loop over a million real minutes, in turns: `cargo bench -p domain --bench simulation`.

mod bare_loop;
mod minutes;

use std::{
    error::Error,
    hint::black_box,
    time::{Duration, Instant},
};

const CANDLES: usize = 1_000_000;
const ROUNDS: usize = 15;

#[expect(clippy::print_stdout, reason = "a benchmark prints")]
fn main() -> Result<(), Box<dyn Error>> {
    let candles = minutes::minutes(CANDLES)?;
    let strategy = minutes::golden_cross()?;
    let bare = bare_loop::run(&candles.open, &candles.close);
    let engine = minutes::engine(&strategy, &candles)?;
    minutes::agree(&candles, &bare, &engine)?;
    let trades = engine.trades.len();
    let (mut bare_times, mut engine_times) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bare_times.push(timed(|| bare_loop::run(&candles.open, &candles.close)));
        engine_times.push(timed(|| minutes::engine(&strategy, &candles)));
    }
    let (bare, engine) = (rate(bare_times), rate(engine_times));
    println!("bare loop {bare:7.1} M candles/s");
    println!("engine    {engine:7.1} M candles/s, {trades} trades");
    println!("ratio     {:7.2}", engine / bare);
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
