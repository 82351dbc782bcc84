//! The candles that ship inside the binary: eight years of daily BTCUSDT, for a first result without a file.

use std::io::Cursor;

use domain::market::{Symbol, Timeframe};
use infra::{
    clock::Clock,
    files::candle_csv::{self, Options, Parsed},
};

/// The source and the licence are in the README beside the file.
const CANDLES: &[u8] = include_bytes!("../../domain/testdata/candles/BTCUSDT_1d.csv");
/// Their market.
pub(crate) const SYMBOL: &str = "BTCUSDT";

/// Returns the symbol and the candles.
///
/// # Errors
/// The embedded file cannot be read.
pub(crate) fn read() -> anyhow::Result<(Symbol, Parsed)> {
    let now = Clock::system().now().timestamp_millis();
    let options = Options { timeframe: Some(Timeframe::OneDay), now, accept_bad_rows: false };
    let parsed = candle_csv::parse(Cursor::new(CANDLES), &options)?;
    Ok((SYMBOL.parse()?, parsed))
}
