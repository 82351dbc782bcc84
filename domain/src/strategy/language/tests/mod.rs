//! The rule language: expressions, rules, config, and that no input makes it panic.

mod config;
mod doubts;
mod expressions;
mod properties;
mod rules;
