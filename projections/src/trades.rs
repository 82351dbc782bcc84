//! Read model: one row per round trip.
