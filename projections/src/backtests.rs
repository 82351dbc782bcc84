//! Read model: one row per backtest, metrics as typed, indexed columns.
