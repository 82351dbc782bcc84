//! Read model: one row per fill.
