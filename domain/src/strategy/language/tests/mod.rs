//! The rule language: expressions, rules, config, and that no input makes it panic.

mod config;
mod expressions;
mod properties;
mod rules;
