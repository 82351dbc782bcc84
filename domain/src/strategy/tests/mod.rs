//! Strategies: the aggregate by its events, and definitions by their bodies.

mod aggregate;
mod definitions;
