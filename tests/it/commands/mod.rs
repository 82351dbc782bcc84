//! Use cases on a real server: what is decided, refused, repeated.

mod backtests;
mod strategies;
