//! Market data: markets, and their candles in revisions.

mod candles;
mod markets;

pub use candles::{CandleStore, Coverage, Imported, Series};
pub use markets::Markets;
