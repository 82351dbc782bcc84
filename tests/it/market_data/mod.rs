//! Candles, markets and assets in a real database.

mod candles;
mod markets;
