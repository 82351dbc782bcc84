//! One process with a million minutes and as many runs as its argument says: for valgrind and the kernel to count
//! (`scripts/bench --work`). Prints peak memory over the candle columns.

// The bare loop is no part of this; `minutes` compares with it elsewhere.
#[expect(dead_code, reason = "shared with the benchmark that needs all of it")]
mod bare_loop;
#[expect(dead_code, reason = "shared with the benchmark that needs all of it")]
mod minutes;

use std::{error::Error, fs, hint::black_box};

const CANDLES: usize = 1_000_000;
/// Bytes of one candle in columns: a time and five numbers.
const CANDLE_BYTES: f64 = 48.0;

#[expect(clippy::print_stdout, reason = "a benchmark prints")]
fn main() -> Result<(), Box<dyn Error>> {
    let runs: usize =
        std::env::args().filter_map(|argument| argument.parse().ok()).next().unwrap_or(1);
    let before = kilobytes("VmRSS")?;
    let candles = minutes::minutes(CANDLES)?;
    let strategy = minutes::golden_cross()?;
    for _ in 0..runs {
        black_box(minutes::engine(&strategy, &candles)?);
    }
    let peak = (kilobytes("VmHWM")? - before) * 1_024.0;
    println!("{:.2}", peak / (CANDLES as f64 * CANDLE_BYTES));
    Ok(())
}

/// A line of the kernel's account of this process.
fn kilobytes(name: &str) -> Result<f64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.ok_or("the kernel does not say")?.parse()?)
}
