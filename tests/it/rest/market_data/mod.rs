//! `/market_data` and `/assets`.

mod assets;
mod candles;
