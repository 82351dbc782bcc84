//! Any bytes as a file of candles: no panic, and what is read is finite, above zero and in order.
#![no_main]

use std::io::Cursor;

use infra::files::candle_csv::{self, Options};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let now = 1_800_000_000_000;
    let options = Options { timeframe: None, now, accept_bad_rows: true };
    let Ok(parsed) = candle_csv::parse(Cursor::new(bytes), &options) else { return };
    let candles = parsed.candles;
    assert!(candles.open_time.is_sorted_by(|one, next| one < next));
    let prices = [&candles.open, &candles.high, &candles.low, &candles.close];
    assert!(prices.iter().all(|column| column.iter().all(|p| p.is_finite() && *p > 0.0)));
});
