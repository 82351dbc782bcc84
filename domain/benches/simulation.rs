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
    let (mut bare_times, mut engine_times) = (Vec::new(), Vec::new());
    let (mut bare_trades, mut engine_trades) = (0, 0);
    for _ in 0..ROUNDS {
        let (time, outcome) = timed(|| bare_loop::run(&candles.open, &candles.close));
        bare_times.push(time);
        bare_trades = outcome.trades.len();
        let (time, outcome) = timed(|| minutes::engine(&strategy, &candles));
        engine_times.push(time);
        engine_trades = outcome?.trades.len();
    }
    let (bare, engine) = (rate(bare_times), rate(engine_times));
    println!("bare loop {bare:7.1} M candles/s, {bare_trades} trades");
    println!("engine    {engine:7.1} M candles/s, {engine_trades} trades");
    println!("ratio     {:7.2}", engine / bare);
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a benchmark needs a clock")]
fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let result = black_box(work());
    (start.elapsed(), result)
}

/// Millions of candles a second by the median.
fn rate(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    CANDLES as f64 / times[times.len() / 2].as_secs_f64() / 1e6
}
