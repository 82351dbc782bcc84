//! The engine and a sweep beside the bare loop over a million real minutes, in turns: `cargo bench -p domain --bench simulation [-- sma | rsi | sweep | strategies [NAME…]]`.

mod bare_loop;
mod minutes;
mod pairs;
mod strategies;

use std::{
    error::Error,
    hint::black_box,
    time::{Duration, Instant},
};

use bare_loop::BareOutcome;
use domain::{
    market::Timeframe,
    simulation::{Candles, rules::BoundStrategy},
};

const CANDLES: usize = 1_000_000;
const ROUNDS: usize = 15;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> =
        std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let asks = |name: &str| words.is_empty() || words.iter().any(|word| word == name);
    let candles = minutes::minutes(CANDLES)?;
    if let Some((first, names)) = words.split_first()
        && first == "strategies"
    {
        return strategies(&candles, names);
    }
    let crosses = || bare_loop::run(&candles.open, &candles.close);
    if asks("sma") {
        beside("SMA 50/200", &candles, &minutes::golden_cross()?, crosses)?;
    }
    let stops = || bare_loop::run_rsi(&candles.open, &candles.high, &candles.low, &candles.close);
    if asks("rsi") {
        beside("RSI with stops", &candles, &minutes::rsi_stops()?, stops)?;
    }
    if asks("sweep") { sweep_beside(&candles, crosses) } else { Ok(()) }
}

/// Nanoseconds a candle of each strategy beside the cross.
#[expect(clippy::print_stdout, reason = "a benchmark prints")]
fn strategies(candles: &Candles, names: &[String]) -> Result<(), Box<dyn Error>> {
    let is_asked = |case: &strategies::Case| {
        names.is_empty() || names.iter().any(|name| case.name.contains(name.as_str()))
    };
    for case in strategies::all()?.into_iter().filter(is_asked) {
        let strategies::Timed { name, nanoseconds, cross, trades, aim } =
            strategies::time(case, candles, 5, now)?;
        let ratio = nanoseconds / cross;
        println!("{name:<34} {nanoseconds:8.1} ns {ratio:6.2} x {trades:8} trades  {aim}");
    }
    Ok(())
}

/// A hundred pairs on one thread, in candles of all runs a second.
#[expect(clippy::print_stdout, reason = "a benchmark prints")]
fn sweep_beside(candles: &Candles, bare: impl Fn() -> BareOutcome) -> Result<(), Box<dyn Error>> {
    let definition = pairs::crosses()?;
    let hundred = pairs::pairs((5..=50).step_by(5), (60..=240).step_by(20))?;
    let sweep = || pairs::sweep(&definition, &hundred, candles, Timeframe::OneMinute, 1);
    sweep()?;
    let (mut bare_times, mut sweep_times) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        bare_times.push(timed(&bare));
        sweep_times.push(timed(sweep));
    }
    let (bare, sweep) = (rate(bare_times), rate(sweep_times) * 100.0);
    println!("100 pairs, a thread");
    println!("  bare loop {bare:7.1} M candles/s");
    println!("  sweep     {sweep:7.1} M candles/s");
    println!("  ratio     {:7.2}", sweep / bare);
    Ok(())
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
fn now() -> Instant {
    Instant::now()
}

fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let start = now();
    black_box(work());
    now() - start
}

/// Millions of candles a second by the median.
fn rate(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    CANDLES as f64 / times[times.len() / 2].as_secs_f64() / 1e6
}
