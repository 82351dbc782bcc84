//! Read model: one row per point of a run's equity.
