//! Read model: one row per version of a strategy.
