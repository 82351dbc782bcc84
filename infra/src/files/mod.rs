//! Files: candle importers.
