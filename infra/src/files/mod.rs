//! Files: candle importers.

pub mod candle_csv;
