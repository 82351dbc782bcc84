//! Read model: one row per strategy.
